/** Thumbnails by content: made once, kept while there is room, also that none could be made. */
import { fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Thumbnailer } from '../codec/thumbnailer.ts'

/** A picture, or why there is none. */
type Kept = { picture: Uint8Array } | { error: Error }

export class Thumbnails {
  readonly #maker: Thumbnailer | undefined
  /** By content and size, the one unused for longest first. */
  readonly #kept = new Map<string, Kept>()
  readonly #making = new Map<string, Promise<Uint8Array>>()
  #bytes = 0

  /** Without a maker every picture is `NOT_HERE`. */
  constructor(maker: Thumbnailer | undefined) {
    this.#maker = maker
  }

  /** The WebP of content `name` at `edge` pixels; `read` gives the content when it is needed. */
  of(name: string, edge: number, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const key = `${name}/${edge}`
    const kept = this.#kept.get(key)
    if (kept !== undefined) {
      this.#kept.delete(key)
      this.#kept.set(key, kept)
      return 'error' in kept ? Promise.reject(kept.error) : Promise.resolve(kept.picture)
    }
    const making = this.#making.get(key) ?? this.#make(key, edge, read)
    this.#making.set(key, making)
    return making
  }

  async #make(key: string, edge: number, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    try {
      if (this.#maker === undefined)
        throw fail('NOT_HERE', { what: 'a thumbnail', reason: 'nothing makes one' })
      const picture = await this.#maker.make(await read(), edge)
      this.#keep(key, { picture })
      return picture
    } catch (thrown) {
      if (isCode(thrown, 'NO_THUMBNAIL')) this.#keep(key, { error: thrown as Error })
      throw thrown
    } finally {
      this.#making.delete(key)
    }
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.set(key, kept)
    this.#bytes += weightOf(kept)
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= limits.thumbnailsBytes) return
      this.#kept.delete(oldest)
      this.#bytes -= weightOf(old)
    }
  }
}

/** With what the entry itself takes. */
const weightOf = (kept: Kept): number => 256 + ('picture' in kept ? kept.picture.length : 0)
