/**
 * Reads the body of one request in blocks. Pieces of the socket are gathered as they arrive, without a
 * promise and a timer for each: 16,000 of them make a gigabyte.
 */
import type { IncomingMessage } from 'node:http'
import { finished } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { free } from '../base/handover.ts'
import { limits } from '../base/limits.ts'

export class BodyReader {
  readonly #request: IncomingMessage
  readonly #clock: Clock
  readonly #blockBytes: number
  readonly #unwatch: () => void
  #pieces: Uint8Array[] = []
  #bytes = 0
  #ended = false
  #trouble: Error | undefined
  #wake = (): void => undefined

  /** Blocks have at least `blockBytes`, but the last. */
  constructor(request: IncomingMessage, clock: Clock, blockBytes: number) {
    this.#request = request
    this.#clock = clock
    this.#blockBytes = blockBytes
    request.on('data', this.#take)
    this.#unwatch = finished(request, { writable: false }, (error) => this.#end(error ?? undefined))
  }

  /** The next block, in memory of its own; undefined at the end. One more is gathered meanwhile. */
  async next(): Promise<Uint8Array | undefined> {
    if (!this.#ended) this.#request.resume()
    while (this.#bytes < this.#blockBytes && !this.#ended) await this.#more()
    const block = this.#bytes > 0 ? this.#join() : undefined
    if (block === undefined && this.#trouble !== undefined) throw this.#trouble
    return block
  }

  /** Stops reading; the socket stays open. */
  close(): void {
    this.#unwatch()
    this.#request.off('data', this.#take)
    if (!this.#ended) this.#request.pause()
  }

  readonly #take = (piece: Uint8Array): void => {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes < this.#blockBytes) return
    this.#request.pause()
    this.#wake()
  }

  #end(trouble: Error | undefined): void {
    this.#ended = true
    this.#trouble = trouble
    this.#wake()
  }

  /** Waits for a block or the end; a client that sends nothing for a while is given up. */
  #more(): Promise<void> {
    return new Promise((resolve) => {
      let cancel = (): void => undefined
      const watch = (): void => {
        const seen = this.#bytes
        cancel = this.#clock.after(limits.stallTimeoutMs, () =>
          this.#bytes === seen ? this.#request.destroy(stalled()) : watch(),
        )
      }
      this.#wake = () => {
        cancel()
        this.#wake = () => undefined
        resolve()
      }
      watch()
    })
  }

  #join(): Uint8Array {
    const pieces = this.#pieces
    const block = pieces.length === 1 ? pieces[0]! : Buffer.allocUnsafeSlow(this.#bytes)
    this.#pieces = []
    this.#bytes = 0
    if (pieces.length === 1) return block
    let at = 0
    for (const piece of pieces) {
      block.set(piece, at)
      at += piece.length
      free(piece)
    }
    return block
  }
}

const stalled = (): Error => fail('TIMED_OUT', { what: 'the upload', timeoutMs: limits.stallTimeoutMs })
