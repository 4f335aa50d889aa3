/** Writes frames of the batch stream; apart from their reader because commands must start fast. */

/** What a frame's header says: the facts of `file-headers.ts`, the path and the content's length. */
export interface FrameFacts {
  path: string
  size: number
  mode?: number | undefined
  modified?: number | undefined
  link?: string | undefined
  expires?: string | undefined
}

/** u32 length of the header, the header as JSON, the content. */
export function frameBytes(facts: FrameFacts, content: Uint8Array): Uint8Array[] {
  const header = Buffer.from(JSON.stringify(facts))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(header.length)
  return content.length === 0 ? [length, header] : [length, header, content]
}

/** A header of no bytes: the stream is whole. */
export const endFrame: Uint8Array = new Uint8Array(4)

const blockBytes = 64 * 1024

/** The same bytes with small pieces joined: each piece of a body costs both ends as much as a small file. */
export async function* inBlocks(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let small: Uint8Array[] = []
  let bytes = 0
  for await (const piece of pieces) {
    if (bytes + piece.length > blockBytes && bytes > 0) {
      yield Buffer.concat(small, bytes)
      small = []
      bytes = 0
    }
    if (piece.length > blockBytes) yield piece
    else {
      small.push(piece)
      bytes += piece.length
    }
  }
  if (bytes > 0) yield Buffer.concat(small, bytes)
}
