/**
 * Reading another device's disk through: the owner's devices and admins may ask it to, and what it has found.
 * It reads at its own pace and is asked again and again; who goes away meanwhile asks later.
 */
import type { Catalogue } from '../access/catalogue.ts'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { CallOptions, ChunkId, PeerId } from '../base/words.ts'
import {
  boolean,
  choice,
  decode,
  encode,
  field,
  fields,
  id,
  list,
  optional,
  uint,
  type Read,
} from '../codec/cbor-schema.ts'
import type { Network } from '../net/network.ts'
import { registry } from '../net/registry.ts'
import type { Pool } from '../pool/pool.ts'
import type { Verifier } from '../store/verifier.ts'

export type ScrubAction = 'look' | 'begin'

const asked = fields({ action: field(0, choice<ScrubAction>({ look: 0, begin: 1 })) })
const answered = fields({
  running: field(0, boolean),
  checked: field(1, uint()),
  bytes: field(2, uint()),
  damaged: field(3, uint()),
  healed: field(4, uint()),
  /** Chunks that stay damaged there. */
  left: field(5, list(id<ChunkId>(), limits.getChunks)),
  /** When what was read longest ago was read, wall milliseconds; bytes that were never read. */
  oldest: optional(6, uint()),
  unread: field(7, uint()),
})
/** How far a device is with reading its disk, or what the last time found. */
export type ScrubState = Read<typeof answered>

export interface ScrubJobParts {
  pool: Pick<Pool, 'scrub'>
  verifier: Pick<Verifier, 'segments' | 'quarantined'>
  log: Log
}

/** One scrub of this whole disk at a time; who asks while one runs is told of that one. */
export class ScrubJob {
  readonly #parts: ScrubJobParts
  #result = { checked: 0, bytes: 0, damaged: 0, healed: 0 }
  #running = false
  readonly #stopping = new AbortController()

  constructor(parts: ScrubJobParts) {
    this.#parts = parts
  }

  begin(): void {
    if (this.#running) return
    this.#running = true
    this.#result = { checked: 0, bytes: 0, damaged: 0, healed: 0 }
    const options = {
      signal: this.#stopping.signal,
      onProgress: (result: ScrubJob['result']) => (this.#result = { ...result }),
    }
    this.#parts.pool
      .scrub(undefined, options)
      .then((result) => (this.#result = result))
      .catch((thrown: unknown) => this.#parts.log.warn('a scrub ended early', { reason: String(thrown) }))
      .finally(() => (this.#running = false))
  }

  get result(): { checked: number; bytes: number; damaged: number; healed: number } {
    return this.#result
  }

  state(): ScrubState {
    const segments = this.#parts.verifier.segments()
    const times = segments.flatMap(({ verified }) => verified ?? [])
    const unread = segments.filter(({ verified }) => verified === undefined)
    return {
      running: this.#running,
      ...this.#result,
      left: this.#parts.verifier.quarantined().slice(0, limits.getChunks),
      ...(times.length > 0 && { oldest: times.reduce((least, at) => Math.min(least, at)) }),
      unread: unread.reduce((sum, { bytes }) => sum + bytes, 0),
    }
  }

  stop(): void {
    this.#stopping.abort()
  }
}

export function serveScrub(network: Network, catalogue: Catalogue, job: ScrubJob): void {
  network.serve('device.scrub', ({ from, role, head }) => {
    const { action } = decode(asked, head, 'the request device.scrub', registry['device.scrub'].headBytes)
    const owner = catalogue.deviceOf(catalogue.peer)?.user
    if (action === 'begin') {
      if (role !== 'admin' && catalogue.deviceOf(from)?.user !== owner)
        throw fail('FORBIDDEN', { role, action: 'scrub a device of another user' })
      job.begin()
    }
    return Promise.resolve({ head: encode(answered, job.state()) })
  })
}

/** Asks another device. */
export async function askToScrub(
  network: Network,
  peer: PeerId,
  action: ScrubAction,
  options: CallOptions = {},
): Promise<ScrubState> {
  const reply = await network.request(peer, 'device.scrub', encode(asked, { action }), options)
  await reply.body[Symbol.asyncIterator]().return?.()
  return decode(answered, reply.head, 'the answer to device.scrub', limits.answerHeadBytes)
}

const askEveryMs = 1_000

/** Has another device read its whole disk; resolves when it has. */
export async function scrubThere(
  network: Network,
  peer: PeerId,
  clock: Clock,
  options: CallOptions,
): Promise<ScrubState> {
  let state = await askToScrub(network, peer, 'begin', options)
  while (state.running) {
    await clock.sleep(askEveryMs, options.signal)
    state = await askToScrub(network, peer, 'look', options)
  }
  return state
}
