/**
 * Contents of small files that were read lately, by version: a version never changes, and a page with
 * many readers asks for the same few again and again. Who may read was decided before it is asked.
 */
import { markAsUntransferable } from 'node:worker_threads'
import { limits } from '../base/limits.ts'
import type { RecordHash } from '../base/words.ts'

export class SmallFiles {
  /** The latest used last. */
  readonly #contents = new Map<RecordHash, Uint8Array>()
  #bytes = 0

  /** The content of a version, if it is kept. Whoever gets it must not change it. */
  get(version: RecordHash): Uint8Array | undefined {
    const content = this.#contents.get(version)
    if (content === undefined) return undefined
    this.#contents.delete(version)
    this.#contents.set(version, content)
    return content
  }

  /** Keeps a copy of a small content, in place of those longest unused. */
  keep(version: RecordHash, content: Uint8Array): void {
    if (content.length > limits.smallFileBytes || this.#contents.has(version)) return
    const copy = new Uint8Array(content)
    // It is given out many times: nobody may give its memory away.
    markAsUntransferable(copy.buffer)
    this.#contents.set(version, copy)
    this.#bytes += copy.length
    for (const [oldest, { length }] of this.#contents) {
      if (this.#bytes <= limits.smallFilesBytes) return
      this.#contents.delete(oldest)
      this.#bytes -= length
    }
  }
}
