/** One line of progress on a terminal, redrawn a few times a second; nothing anywhere else. */
import type { Output } from './output.ts'
import { plural, sizeText } from './words.ts'

const redrawMs = 200

export class Progress {
  readonly #shown: boolean
  readonly #began = performance.now()
  #drawn = 0
  files = 0
  bytes = 0

  constructor(out: Output) {
    this.#shown = process.stderr.isTTY && !out.json && !out.quiet
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000
  }

  add(files: number, bytes: number): void {
    this.files += files
    this.bytes += bytes
    if (!this.#shown || performance.now() - this.#drawn < redrawMs) return
    this.#drawn = performance.now()
    const rate = this.bytes / Math.max(0.001, this.seconds)
    process.stderr.write(
      `\r\u001B[K${plural(this.files, 'file')}, ${sizeText(this.bytes)}, ${sizeText(rate)}/s`,
    )
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shown) process.stderr.write('\r\u001B[K')
  }
}

/** Counts bytes as they pass. */
export async function* counted(
  source: AsyncIterable<Uint8Array>,
  progress: Progress,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    progress.add(0, piece.length)
    yield piece
  }
}
