/**
 * A libp2p stream as a Node socket, so that `node:http` can speak over it.
 *
 * Back-pressure is real in both directions: reading pauses the stream (yamux then grants no window),
 * and a write ends only when the stream took all of it. The stream's own `onDrain()` is not used: it
 * resolves at once after the first drain (js-libp2p 3.3), which let 500 MB pile up.
 */
import { Duplex } from 'node:stream'
import { callbackify } from 'node:util'
import type { Stream } from '@libp2p/interface'

const highWaterMark = 256 * 1024

type Done = (error?: Error | null) => void

export class StreamSocket extends Duplex {
  /** Bytes sent and received so far, HTTP framing included. */
  bytesWritten = 0
  bytesRead = 0
  readonly #stream: Stream
  #waiting: Done | undefined
  /** While the stream hands over what it kept: a pause in the middle of it would be overruled. */
  #resuming = false

  constructor(stream: Stream) {
    super({ readableHighWaterMark: highWaterMark, writableHighWaterMark: highWaterMark })
    this.#stream = stream
    stream.pause()
    stream.addEventListener('message', ({ data }) => this.#receive(data.subarray()))
    stream.addEventListener('drain', () => queueMicrotask(() => this.#drained()))
    stream.addEventListener('end', () => this.push(null))
    stream.addEventListener('close', (event) => this.#closed(event.error))
    if (stream.readableEnded) this.push(null)
    // Whoever reads or writes sees the error; between two requests nobody does, and it ends no process.
    this.on('error', () => undefined)
  }

  override _read(): void {
    this.#resuming = true
    this.#tryStream(() => this.#stream.resume())
    this.#resuming = false
  }

  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    this.#send([chunk], done)
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: Done): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  override _final(done: Done): void {
    const finish = async (): Promise<void> => await this.#stream.close()
    callbackify(finish)(done)
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#settle(error ?? new Error('stream closed'))
    if (this.#stream.status === 'open') this.#stream.abort(error ?? new Error('stream closed'))
    done(error)
  }

  // What node:http calls on a TCP socket and a stream has no use for.
  setTimeout(): this {
    return this
  }
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }

  #receive(bytes: Uint8Array): void {
    this.bytesRead += bytes.byteLength
    if (!this.push(bytes) && !this.#resuming) this.#tryStream(() => this.#stream.pause())
  }

  #send(chunks: readonly Uint8Array[], done: Done): void {
    try {
      for (const chunk of chunks) {
        this.#stream.send(chunk)
        this.bytesWritten += chunk.byteLength
      }
    } catch (error) {
      done(error as Error)
      return
    }
    this.#waiting = done
    this.#drained()
  }

  #drained(): void {
    if (!this.#stream.writableNeedsDrain) this.#settle()
  }

  #settle(error?: Error): void {
    const done = this.#waiting
    this.#waiting = undefined
    done?.(error)
  }

  /**
   * Both directions are over. Bytes that nobody read yet stay readable unless there was an error; after
   * them the socket ends, also one that nobody reads: an agent would hand it to the next request.
   */
  #closed(error: Error | undefined): void {
    if (error !== undefined || this.readableEnded) {
      this.destroy(error)
      return
    }
    this.#settle(this.#stream.writableNeedsDrain ? new Error('stream closed') : undefined)
    this.once('end', () => this.destroy())
    if (this.readableLength === 0) this.read(0)
  }

  /** Pausing and resuming throw on a stream that has just closed; its events tell us that anyway. */
  #tryStream(act: () => void): void {
    try {
      act()
    } catch {
      // closed: 'end' and 'close' follow
    }
  }
}
