/** A file that comes in numbered parts, in any order and several at once, as S3 clients send large ones. */
import type { CallOptions } from '../base/words.ts'
import type { PutOptions, PutResult } from './files.ts'
import type { NewUpload } from './uploads.ts'

/** A part that is durable here. */
export interface Part {
  /** 1 to 10,000; the order in the file. */
  number: number
  size: number
  hash: string
  /** Wall milliseconds. */
  written: number
}

export interface OpenMultipart {
  id: string
  path: string
  /** Wall milliseconds. */
  started: number
}

/** A part as its client names it at the end; `hash` when it must still be that one. */
export interface WantedPart {
  number: number
  accepts?: ((part: Part) => boolean) | undefined
}

export interface Multipart {
  begin(upload: Omit<NewUpload, 'part' | 'size'>): Promise<string>
  /** Durable when it resolves; a later part of the same number takes its place. */
  put(
    path: string,
    id: string,
    number: number,
    source: AsyncIterable<Uint8Array>,
    options?: CallOptions & { size?: number | undefined },
  ): Promise<Part>
  /** The parts in order; `UPLOAD_UNKNOWN`, `UPLOAD_EXPIRED`. */
  parts(path: string, id: string): Part[]
  /** One file of the wanted parts: their chunks as they are, no byte is read again. `PART_UNKNOWN`, `PART_ORDER`. */
  complete(
    path: string,
    id: string,
    wanted: readonly WantedPart[],
    options?: CallOptions & Pick<PutOptions, 'replaces'>,
  ): Promise<PutResult>
  /** Gives it up, and its space back. */
  abort(path: string, id: string): Promise<void>
  /** Those under way in one folder of the pool, by path and time. */
  open(folder: string): OpenMultipart[]
}
