/** SHA-256 over parts that come one by one: asked for by people who compare with other tools; nothing inside uses it. */
import { createHash } from 'node:crypto'

export class Sha256 {
  readonly #hash = createHash('sha256')

  add(part: Uint8Array): void {
    this.#hash.update(part)
  }

  /** Lower-case hex. */
  hex(): string {
    return this.#hash.digest('hex')
  }
}
