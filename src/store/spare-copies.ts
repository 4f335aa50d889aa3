/**
 * Second copies of the batches that a catalogue cannot be opened without: those that hold anything but
 * versions, and the store's log key. They lie beside the index, apart from the segments (docs/FORMAT.md),
 * so that neither rot there nor a folder that is away takes who is a member and which keys open what.
 *
 * The segments stay the truth. What this file lacks is added at the next start, so nobody waits for it,
 * and trouble with it stops nothing.
 */
import type { Disk, DiskFile } from '../base/disk.ts'
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import { idBytes, idOf, type PoolId, type RecordHash } from '../base/words.ts'
import { keyed } from '../codec/hash.ts'
import { decodeBatch } from '../codec/record-bytes.ts'
import { recordKinds, type Batch } from '../codec/record.ts'
import { ReadWindow } from './read-window.ts'

const magic = Buffer.from('PSS1')
const headerBytes = 80
const kinds = { batch: 1, logKey: 2 } as const
type Kind = keyof typeof kinds

/** Of the file; the log key has no name. */
const noName = '00'.repeat(32)

interface Place {
  kind: Kind
  name: string
  /** Of the payload. */
  offset: number
  length: number
}

interface Parts {
  disk: Disk
  /** Of the file; undefined: no copies are kept. */
  path: string | undefined
  pool: PoolId
  log: Log
}

export class SpareCopies {
  readonly #parts: Parts
  #file: DiskFile | undefined
  #places = new Map<string, Place>()
  #end = 0
  /** After a failed sync nothing more is written until the next start. */
  #isFailed = false
  #turn: Promise<void> = Promise.resolve()
  #logKey: Buffer | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Reads the file, or makes it; what rotted in it is left out from then on. */
  static async open(parts: Parts): Promise<SpareCopies> {
    const copies = new SpareCopies(parts)
    await copies.#trying(() => copies.#open())
    return copies
  }

  /** Key of the headers in the segments, as told before. */
  get logKey(): Buffer | undefined {
    return this.#logKey
  }

  /** Last records of all batches with a copy, in order of arrival. */
  batches(): RecordHash[] {
    const all = [...this.#places.values()].filter(({ kind }) => kind === 'batch')
    return all.map(({ name }) => name as RecordHash)
  }

  /** A batch by its last record; undefined when there is no copy, or it rotted too. */
  async batch(last: RecordHash): Promise<Batch | undefined> {
    await this.#turn
    const place = this.#places.get(last)
    const payload = place && (await this.#payload(place))
    return payload && decodeBatch(payload)
  }

  keepLogKey(key: Buffer): void {
    if (this.#logKey?.equals(key) === true) return
    this.#logKey = key
    this.#add([{ kind: 'logKey', name: noName, payload: key }])
  }

  /** Keeps those of `batches` that have to be kept and are not yet; a later one with more bodies too. */
  keep(batches: readonly Batch[]): void {
    const fresh = batches
      .filter(({ records }) => records.some(({ head }) => head.kind !== recordKinds.version))
      .map(({ records, bytes }) => ({ kind: 'batch' as const, name: records.at(-1)!.hash, payload: bytes }))
      .filter(({ name, payload }) => (this.#places.get(name)?.length ?? 0) < payload.length)
    this.#add(fresh)
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#file?.close()
    this.#file = undefined
  }

  async #open(): Promise<void> {
    const { disk, path } = this.#parts
    if (path === undefined) return
    const { folder, base } = split(path)
    const isThere = (await disk.list(folder)).includes(base)
    this.#file = await disk.open(path, isThere ? 'write' : 'create')
    if (!isThere) await disk.syncFolder(folder)
    const damaged = await this.#read()
    for (const place of this.#places.values())
      if (place.kind === 'logKey') this.#logKey = await this.#payload(place)
    if (damaged) await this.#rewrite(path)
  }

  /** Finds the good frames; says whether anything else is there. */
  async #read(): Promise<boolean> {
    const size = await this.#file!.size()
    const window = new ReadWindow(this.#file!, size)
    let damaged = false
    let offset = 0
    while (offset < size) {
      const place = await this.#frame(window, offset)
      if (place !== undefined) {
        this.#places.set(place.name, place)
        offset = place.offset + place.length
        continue
      }
      damaged = true
      offset = (await window.find(magic, offset + 1)) ?? size
    }
    this.#end = size
    return damaged
  }

  async #frame(window: ReadWindow, offset: number): Promise<Place | undefined> {
    const header = Buffer.from(await window.bytes(offset, headerBytes))
    if (header.length < headerBytes || !header.subarray(0, 4).equals(magic)) return undefined
    const length = header.readUInt32LE(8)
    if (length > limits.batchBytes) return undefined
    const payload = await window.bytes(offset + headerBytes, length)
    if (payload.length < length || !this.#check(header, payload).equals(header.subarray(48))) return undefined
    const kind = header.readUInt32LE(4) === kinds.logKey ? 'logKey' : 'batch'
    return { kind, name: idOf(header.subarray(16, 48)), offset: offset + headerBytes, length }
  }

  /** Under the pool's id: what is left of a pool before is no copy of this one's. */
  #check(header: Buffer, payload: Uint8Array): Buffer {
    return keyed(idBytes(this.#parts.pool), header.subarray(0, 48), payload)
  }

  async #payload({ offset, length }: Place): Promise<Buffer | undefined> {
    const file = this.#file
    if (file === undefined) return undefined
    const frame = await file.read(offset - headerBytes, headerBytes + length).catch(() => Buffer.alloc(0))
    const header = frame.subarray(0, headerBytes)
    const payload = frame.subarray(headerBytes)
    const isGood = payload.length === length && this.#check(header, payload).equals(header.subarray(48))
    return isGood ? payload : undefined
  }

  /** The good frames alone, in a new file that takes this one's place. */
  async #rewrite(path: string): Promise<void> {
    const { disk, log } = this.#parts
    if (this.#places.size > 0) log.warn('damaged spare copies of records are left out', { path })
    const beside = `${path}.new`
    await disk.remove(beside)
    const file = await disk.open(beside, 'create')
    const places = new Map<string, Place>()
    let end = 0
    for (const place of this.#places.values()) {
      const frame = await this.#file!.read(place.offset - headerBytes, headerBytes + place.length)
      await file.write(end, [frame])
      places.set(place.name, { ...place, offset: end + headerBytes })
      end += frame.length
    }
    await file.sync()
    await disk.rename(beside, path)
    await disk.syncFolder(split(path).folder)
    await this.#file!.close()
    this.#file = file
    this.#places = places
    this.#end = end
  }

  #add(frames: readonly { kind: Kind; name: string; payload: Uint8Array }[]): void {
    if (frames.length === 0 || this.#file === undefined) return
    const parts = frames.map(({ kind, name, payload }) => {
      const header = Buffer.alloc(headerBytes)
      magic.copy(header)
      header.writeUInt32LE(kinds[kind], 4)
      header.writeUInt32LE(payload.length, 8)
      Buffer.from(name, 'hex').copy(header, 16)
      this.#check(header, payload).copy(header, 48)
      return { kind, name, payload, header }
    })
    this.#turn = this.#turn.then(() => this.#trying(() => this.#append(parts)))
  }

  async #append(
    frames: readonly { kind: Kind; name: string; payload: Uint8Array; header: Buffer }[],
  ): Promise<void> {
    const file = this.#file
    if (file === undefined || this.#isFailed) return
    this.#isFailed = true
    try {
      await file.write(
        this.#end,
        frames.flatMap(({ header, payload }) => [header, payload]),
      )
    } catch (thrown) {
      await file.truncate(this.#end)
      this.#isFailed = false
      throw thrown
    }
    await file.sync()
    this.#isFailed = false
    for (const { kind, name, payload } of frames) {
      const offset = this.#end + headerBytes
      this.#places.set(name, { kind, name, offset, length: payload.length })
      this.#end = offset + payload.length
    }
  }

  async #trying(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (thrown) {
      const { path, log } = this.#parts
      log.warn('spare copies of records cannot be kept', { path, reason: asPeerStorError(thrown).message })
    }
  }
}

function split(path: string): { folder: string; base: string } {
  const parts = /^(.*)[\\/]([^\\/]+)$/.exec(path)
  return parts === null ? { folder: '.', base: path } : { folder: parts[1] || '/', base: parts[2]! }
}
