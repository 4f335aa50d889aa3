/**
 * Uploads that go on where they stopped, whatever ends in between: the connection, the client, this
 * peer. An offset that was told is durable here. Bytes behind the last cut are kept too, and the cut
 * goes on from them, so that the chunks are those of an upload in one go.
 */
import type { CallOptions } from '../base/words.ts'
import type { PutOptions, PutProgress, PutResult } from './files.ts'

/** What a new upload will be. */
export interface NewUpload extends Pick<
  PutOptions,
  | 'size'
  | 'mode'
  | 'modified'
  | 'created'
  | 'type'
  | 'tags'
  | 'description'
  | 'expires'
  | 'properties'
  | 'replaces'
> {
  /** `FOLDER/PATH` of the file; of a part, the place that its writer may write at. */
  path: string
  /** A part of a file: it becomes none by itself, only by `join`. */
  part?: boolean | undefined
  /** Wall milliseconds; it comes in numbered parts (multipart.ts), and nothing is appended to it. */
  started?: number | undefined
}

export interface UploadState {
  id: string
  path: string
  part: boolean
  /** Undefined: not known yet. */
  size: number | undefined
  /** As told at its beginning, wall milliseconds: who goes on with it later knows it by that. */
  modified: number | undefined
  /** Bytes that are durable here. */
  offset: number
  /** Wall milliseconds; put off by every write. */
  expires: number
  /** The uploads it was joined from. */
  of: readonly string[] | undefined
  /** What it became, once whole. */
  result: PutResult | undefined
}

export interface AppendOptions extends CallOptions<PutProgress> {
  /** The size, when it was not known before. */
  size?: number | undefined
  /** All of the bytes or none: `verify` says at their end whether they are the right ones. */
  verify?: (() => void) | undefined
}

export interface Uploads {
  /** `QUOTA_FULL` or `DISK_FULL` when it cannot fit. One of size 0 is whole at once. */
  begin(upload: NewUpload): Promise<UploadState>
  /** `UPLOAD_UNKNOWN`, `UPLOAD_EXPIRED`. With `durability` it waits for so many holders of a whole one. */
  state(id: string, options?: CallOptions & { durability?: number | undefined }): Promise<UploadState>
  /**
   * Takes in bytes from `offset` on: `UPLOAD_OFFSET` unless that is where it stands, `UPLOAD_BUSY`
   * while another does. A source that fails keeps what came before; the error then goes on.
   */
  append(
    id: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    options?: AppendOptions,
  ): Promise<UploadState>
  /** One file of whole parts, in this order; they are gone then. */
  join(
    ids: readonly string[],
    upload: Omit<NewUpload, 'part' | 'size'>,
    options?: CallOptions,
  ): Promise<UploadState>
  /** Gives it up, and its space back. */
  remove(id: string): Promise<void>
  list(): UploadState[]
}
