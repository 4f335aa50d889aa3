/**
 * Gives back the space of uploads that nobody went on with. After a crash some chunks may hang on an
 * upload's pins without being named in its row: once it has ended, one walk over all chunks finds them.
 */
import type { Clock } from '../base/clock.ts'
import type { ChunkId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { FilesParts } from './files-parts.ts'
import { discard } from './open-uploads.ts'
import { pinOfUpload } from './upload-book.ts'
import { giveBack } from './upload-writer.ts'

const everyMs = 60_000

/** A walk over all chunks, by the first byte of their ids, for what uploads left behind. */
interface Sweep {
  ids: ReadonlySet<string>
  prefix: number
}

export class UploadKeeper implements Worker {
  readonly name = 'uploads'
  readonly #parts: FilesParts
  readonly #clock: Clock
  #swept: Sweep | undefined
  #expired = 0

  constructor(parts: FilesParts) {
    this.#parts = parts
    this.#clock = parts.clock
  }

  status(): string {
    const open = this.#parts.uploads
      .rows()
      .filter(({ row }) => row.result === undefined && row.removed !== true)
    return `${open.length} uploads under way, ${this.#expired} expired`
  }

  async work(): Promise<WorkResult> {
    await this.#expire()
    return (await this.#sweep()) ? 'more' : { waitMs: everyMs }
  }

  async #expire(): Promise<void> {
    const { uploads } = this.#parts
    for (const { id, row } of uploads.rows()) {
      if (row.expires > this.#clock.now() || uploads.isLeased(id)) continue
      if (row.result !== undefined && row.unclean !== true) await uploads.forget(id)
      if (row.result !== undefined || row.removed === true) continue
      await discard(this.#parts, id, row)
      this.#expired += 1
    }
  }

  /** One stretch of the walk; false when there is none to go. */
  async #sweep(): Promise<boolean> {
    this.#swept ??= this.#begin()
    if (this.#swept === undefined) return false
    const { ids, prefix } = this.#swept
    const { store } = this.#parts
    const found = new Map<string, ChunkId[]>()
    for await (const id of store.chunks.list(prefix.toString(16).padStart(2, '0')))
      for (const { folder } of store.read.pins(id))
        if (ids.has(folder)) found.set(folder, [...(found.get(folder) ?? []), id])
    for (const [id, chunks] of found) await giveBack(this.#parts, pinOfUpload(id), chunks)
    if (prefix < 0xff) this.#swept = { ids, prefix: prefix + 1 }
    else await this.#end(ids)
    return true
  }

  #begin(): Sweep | undefined {
    const ended = this.#parts.uploads
      .rows()
      .filter(({ row }) => row.unclean === true && (row.result !== undefined || row.removed === true))
    return ended.length === 0 ? undefined : { ids: new Set(ended.map(({ id }) => id)), prefix: 0 }
  }

  async #end(ids: ReadonlySet<string>): Promise<void> {
    this.#swept = undefined
    const { uploads } = this.#parts
    for (const { id, row } of uploads.rows()) {
      if (!ids.has(id)) continue
      if (row.removed === true) await uploads.forget(id)
      else await uploads.clean(id, row)
    }
  }
}
