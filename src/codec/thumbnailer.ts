/**
 * Small pictures of images, made in a process of its own: a decoder that a hostile image brings down
 * or keeps busy takes nothing with it, and is ended. It is started when first needed and ends when
 * nobody needs it; it knows the image alone, no key, no name, no environment.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import {
  isThumbnailProcess,
  roleName,
  runThumbnailProcess,
  thumbnailRole,
  type ThumbnailAnswer,
  type ThumbnailJob,
} from './thumbnail-process.ts'

export interface Thumbnailer {
  /** A WebP of at most `edge` by `edge` pixels; `NO_THUMBNAIL`, `NOT_HERE` where the decoder is missing. */
  make(image: Uint8Array, edge: number): Promise<Uint8Array>
  close(): Promise<void>
}

export class ThumbnailProcess implements Thumbnailer {
  readonly #clock: Clock
  #child: ChildProcess | undefined
  /** One image at a time. */
  #turn: Promise<unknown> = Promise.resolve()
  #cancelIdle = (): void => undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  make(image: Uint8Array, edge: number): Promise<Uint8Array> {
    const made = this.#turn.then(() => this.#ask({ image, edge }))
    this.#turn = made.catch(() => undefined)
    return made
  }

  async close(): Promise<void> {
    this.#cancelIdle()
    const child = this.#child
    if (child === undefined) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    this.#end(child)
    await ended
  }

  async #ask(job: ThumbnailJob): Promise<Uint8Array> {
    this.#cancelIdle()
    const child = (this.#child ??= start())
    try {
      const answer = await this.#answerOf(child, job)
      if ('reason' in answer) throw fail('NO_THUMBNAIL', { reason: answer.reason })
      return answer.picture
    } finally {
      this.#cancelIdle = this.#clock.after(limits.thumbnailIdleMs, () => this.#end(child))
    }
  }

  #answerOf(child: ChildProcess, job: ThumbnailJob): Promise<ThumbnailAnswer> {
    return new Promise((resolve) => {
      const settle = (answer: ThumbnailAnswer): void => {
        cancel()
        child.removeAllListeners()
        // What it says when nobody listens must not end this process.
        child.on('error', () => undefined)
        resolve(answer)
      }
      const lost = (reason: string): void => {
        this.#end(child)
        settle({ reason })
      }
      const cancel = this.#clock.after(limits.thumbnailMs, () => lost('it takes too long'))
      child.once('message', (answer) => settle(answer as ThumbnailAnswer))
      child.once('exit', () => lost('its decoder failed'))
      child.once('error', () => lost('its decoder could not be reached'))
      child.send(job, (error) => error !== null && lost('its decoder could not be reached'))
    })
  }

  #end(child: ChildProcess): void {
    if (this.#child === child) this.#child = undefined
    child.kill('SIGKILL')
  }
}

/** From the program's own file, so that a bundle needs no other. */
function start(): ChildProcess {
  try {
    createRequire(import.meta.url).resolve('sharp')
  } catch (thrown) {
    throw fail('NOT_HERE', { what: 'a thumbnail', reason: 'the package sharp is not installed' }, thrown)
  }
  const { SystemRoot: windows } = process.env
  const child = fork(fileURLToPath(import.meta.url), [], {
    env: { [roleName]: thumbnailRole, ...(windows !== undefined && { SystemRoot: windows }) },
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  child.unref()
  child.channel?.unref()
  return child
}

if (isThumbnailProcess()) runThumbnailProcess()
