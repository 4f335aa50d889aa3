/** A device at which a folder has pins, this one or another, as the reconciliation asks it. */
import type { ChunkId, DatabaseId, DeviceId, FolderId, PeerId } from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { Release } from '../codec/release.ts'
import type { Reply } from '../net/network.ts'
import type { RequestName } from '../net/registry.ts'
import { takeRelease, type CollectionParts } from './collection.ts'
import { digestsOf, idsWith, type PageOf } from './pin-digests.ts'
import {
  digestsAnswer,
  digestsAsked,
  misbehaved,
  pinsAsked,
  pinsBody,
  pinsBodyBytes,
  pinsHead,
  readAnswer,
  readBody,
} from './wire.ts'

export interface PinHolder {
  readonly peer: PeerId
  digests(prefix: string): Promise<{ database: DatabaseId; change: number; digests: Uint8Array }>
  /** Chunks with a standing pin of the folder, a page at a time. */
  list(prefix: string): AsyncIterable<ChunkId[]>
  release(release: Pick<Release, 'database' | 'upTo' | 'ids' | 'done'>): Promise<void>
  /** Pins chunks that lie there for this device. */
  pin(ids: readonly ChunkId[]): Promise<void>
}

export class OwnPins implements PinHolder {
  readonly peer: PeerId
  readonly #parts: CollectionParts
  readonly #folder: FolderId
  readonly #device: DeviceId
  readonly #page: PageOf
  readonly #rest: () => Promise<void>

  constructor(parts: CollectionParts, folder: FolderId, device: DeviceId, signal: AbortSignal) {
    this.peer = parts.membership.self
    this.#parts = parts
    this.#folder = folder
    this.#device = device
    this.#page = (after, until, limit) => parts.store.read.pinnedFor(folder, after, until, limit)
    this.#rest = () => parts.clock.sleep(1, signal)
  }

  async digests(prefix: string): ReturnType<PinHolder['digests']> {
    const { store } = this.#parts
    const change = store.read.lastChange()
    return { database: store.database, change, digests: await digestsOf(this.#page, prefix, this.#rest) }
  }

  list(prefix: string): AsyncIterable<ChunkId[]> {
    return idsWith(this.#page, prefix, this.#rest)
  }

  async release(release: Pick<Release, 'upTo' | 'ids' | 'done'>): Promise<void> {
    await takeRelease(this.#parts, { folder: this.#folder, ...release }, this.#parts.folders.ownDevices())
  }

  async pin(ids: readonly ChunkId[]): Promise<void> {
    const { store } = this.#parts
    const pin = { folder: this.#folder, device: this.#device }
    const here = await store.chunks.has(ids)
    await store.commit({ pins: ids.filter((_, index) => here[index]).map((id) => ({ id, pin })) })
  }
}

export class RemotePins implements PinHolder {
  readonly peer: PeerId
  readonly #parts: CollectionParts
  readonly #folder: FolderId
  readonly #holder: DeviceId
  readonly #device: DeviceId
  readonly #signal: AbortSignal

  constructor(
    parts: CollectionParts,
    folder: FolderId,
    holder: { peer: PeerId; device: DeviceId },
    device: DeviceId,
    signal: AbortSignal,
  ) {
    this.peer = holder.peer
    this.#parts = parts
    this.#folder = folder
    this.#holder = holder.device
    this.#device = device
    this.#signal = signal
  }

  async digests(prefix: string): ReturnType<PinHolder['digests']> {
    const reply = await this.#ask('pins.digests', encode(digestsAsked, { folder: this.#folder, prefix }))
    await discard(reply)
    return readAnswer(digestsAnswer, reply.head, this.peer, 'pins.digests')
  }

  async *list(prefix: string): AsyncGenerator<ChunkId[]> {
    for (let after: ChunkId | undefined; ;) {
      const asked = { folder: this.#folder, prefix, ...(after === undefined ? {} : { after }) }
      const reply = await this.#ask('pins.list', encode(pinsAsked, asked))
      readAnswer(pinsHead, reply.head, this.peer, 'pins.list')
      const { ids, more } = await readBody(pinsBody, reply.body, this.peer, 'pins.list', pinsBodyBytes)
      for (const id of ids) {
        if (!id.startsWith(prefix) || (after !== undefined && id <= after))
          throw misbehaved(this.peer, 'pins.list', 'its list is not in order')
        after = id
      }
      yield ids
      if (!more || ids.length === 0) return
    }
  }

  async release(release: Pick<Release, 'database' | 'upTo' | 'ids' | 'done'>): Promise<void> {
    const signed = this.#parts.folders.sign({ ...release, folder: this.#folder, holder: this.#holder })
    await discard(await this.#ask('pins.release', signed))
  }

  async pin(ids: readonly ChunkId[]): Promise<void> {
    const pins = [{ folder: this.#folder, device: this.#device }]
    const chunks = ids.map((id) => ({ id, pins }))
    for await (const { outcome } of this.#parts.pool.offer(this.peer, chunks, { signal: this.#signal }))
      if (outcome === 'full') return
  }

  #ask(name: RequestName, head: Uint8Array): Promise<Reply> {
    return this.#parts.network.request(this.peer, name, head, { signal: this.#signal })
  }
}

async function discard({ body }: Reply): Promise<void> {
  await body[Symbol.asyncIterator]().return?.()
}
