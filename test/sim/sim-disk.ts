/**
 * A disk in memory that can lose power. What was not synced is then kept, torn or lost at random;
 * names not made durable are undone from some point on; files that were open are of no use any more.
 * It can fill up, refuse a sync or a read, flip bits, and put what belongs in one place into another.
 */
import { dirname } from 'node:path/posix'
import type { Disk, DiskFile, OpenMode } from '../../src/base/disk.ts'
import type { SeededRandom } from './seeded-random.ts'

const sector = 512

interface Write {
  offset: number
  bytes: Buffer
}

/** A file's content, whatever it is called. */
class Inode {
  #bytes = Buffer.alloc(0)
  length = 0
  /** What the last sync made durable. */
  #synced = Buffer.alloc(0)
  /** Since then, in order; a number is a truncation. */
  #pending: (Write | number)[] = []

  read(offset: number, length: number): Buffer {
    return Buffer.from(this.#bytes.subarray(offset, Math.max(offset, Math.min(this.length, offset + length))))
  }

  write(offset: number, bytes: Buffer): void {
    this.#apply(offset, bytes)
    this.#pending.push({ offset, bytes })
  }

  truncate(length: number): void {
    this.#cut(length)
    this.#pending.push(length)
  }

  /** Syncing costs only what changed: durable bytes are patched, not copied. */
  sync(): void {
    if (this.#synced.length < this.#bytes.length) {
      const larger = Buffer.alloc(this.#bytes.length)
      this.#synced.copy(larger)
      this.#synced = larger
    }
    for (const change of this.#pending) {
      if (typeof change === 'number') this.#synced.fill(0, Math.min(change, this.#synced.length))
      else change.bytes.copy(this.#synced, change.offset)
    }
    this.#syncedLength = this.length
    this.#pending = []
  }
  #syncedLength = 0

  /** Power is gone: each write since the last sync is kept, torn at a sector, or lost. */
  crash(random: SeededRandom): void {
    const pending = this.#pending
    this.#pending = []
    if (pending.length === 0) return
    this.#bytes = Buffer.from(this.#synced)
    this.length = this.#syncedLength
    for (const change of pending) {
      const fate = random.below(3)
      if (fate === 0) continue
      if (typeof change === 'number') this.#cut(change)
      else this.#apply(change.offset, fate === 1 ? change.bytes : torn(change, random))
    }
    this.#pending = []
    this.#synced = Buffer.from(this.#bytes)
    this.#syncedLength = this.length
  }

  flip(offset: number, bit: number): void {
    this.#bytes[offset]! ^= 1 << bit
    if (offset < this.#synced.length) this.#synced[offset]! ^= 1 << bit
  }

  /** A copy that shares nothing, of what is durable. */
  backup(): Inode {
    const copy = new Inode()
    copy.#bytes = Buffer.from(this.#synced.subarray(0, this.#syncedLength))
    copy.length = this.#syncedLength
    copy.#synced = Buffer.from(copy.#bytes)
    copy.#syncedLength = copy.length
    return copy
  }

  #apply(offset: number, bytes: Buffer): void {
    const end = offset + bytes.length
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.#bytes.length * 2, 4096))
      this.#bytes.copy(larger)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, offset)
    this.length = Math.max(this.length, end)
  }

  #cut(length: number): void {
    if (length > this.#bytes.length) this.#apply(length, Buffer.alloc(0))
    this.#bytes.fill(0, Math.min(length, this.length))
    this.length = length
  }
}

function torn({ bytes }: Write, random: SeededRandom): Buffer {
  return bytes.subarray(0, random.below(Math.floor(bytes.length / sector) + 1) * sector)
}

type NameChange = { path: string; inode: Inode | undefined }

export class SimDisk implements Disk {
  readonly #random: SeededRandom
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  /** Changes of names not made durable, by folder. */
  #nameChanges = new Map<string, NameChange[][]>()
  /** Grows with each crash: files opened before are dead. */
  #generation = 0
  /** Bytes all files together may have. */
  capacity: number
  /** The next sync fails with EIO. */
  failSync = false
  /** Probability that a read fails with EIO. */
  failRead = 0

  constructor(random: SeededRandom, capacity: number = Number.POSITIVE_INFINITY) {
    this.#random = random
    this.capacity = capacity
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return later(() => {
      let inode = this.#names.get(path)
      if (mode === 'create') {
        if (inode !== undefined) throw ioError('EEXIST', path)
        this.#name({ path, inode: (inode = new Inode()) })
      }
      if (inode === undefined) throw ioError('ENOENT', path)
      return this.#file(path, inode, mode === 'write' || mode === 'create')
    })
  }

  list(folder: string): Promise<string[]> {
    return later(() => {
      const prefix = folder.endsWith('/') ? folder : `${folder}/`
      const names = [...this.#names.keys()].filter((path) => path.startsWith(prefix))
      return [...new Set(names.map((path) => path.slice(prefix.length).split('/')[0]!))].sort()
    })
  }

  makeFolder(): Promise<void> {
    return Promise.resolve()
  }

  syncFolder(folder: string): Promise<void> {
    return later(() => {
      for (const { path, inode } of (this.#nameChanges.get(folder) ?? []).flat())
        setName(this.#durableNames, path, inode)
      this.#nameChanges.delete(folder)
    })
  }

  rename(from: string, to: string): Promise<void> {
    return later(() => {
      const inode = this.#names.get(from)
      if (inode === undefined) throw ioError('ENOENT', from)
      if (dirname(from) === dirname(to)) this.#name({ path: to, inode }, { path: from, inode: undefined })
      else {
        this.#name({ path: to, inode })
        this.#name({ path: from, inode: undefined })
      }
    })
  }

  remove(path: string): Promise<void> {
    return later(() => {
      if (this.#names.has(path)) this.#name({ path, inode: undefined })
    })
  }

  freeBytes(): Promise<number> {
    return later(() => Math.max(0, this.capacity - this.usedBytes))
  }

  get usedBytes(): number {
    let sum = 0
    for (const { length } of this.#names.values()) sum += length
    return sum
  }

  /** Paths of all files now, sorted. */
  paths(): string[] {
    return [...this.#names.keys()].sort()
  }

  /** A file's bytes as a thief of the disk would see them. */
  bytesOf(path: string): Buffer {
    const inode = this.#names.get(path)
    if (inode === undefined) throw ioError('ENOENT', path)
    return inode.read(0, inode.length)
  }

  /** Power is gone and back. */
  crash(): void {
    this.#generation += 1
    for (const changes of this.#nameChanges.values())
      for (const { path, inode } of changes.slice(0, this.#random.below(changes.length + 1)).flat())
        setName(this.#durableNames, path, inode)
    this.#nameChanges.clear()
    this.#names = new Map(this.#durableNames)
    for (const inode of this.#names.values()) inode.crash(this.#random)
  }

  /** Turns one bit of a file, durably: the disk rots. */
  flip(path: string, offset: number, bit: number = this.#random.below(8)): void {
    const inode = this.#names.get(path)
    if (inode === undefined || offset >= inode.length) throw ioError('ENOENT', path)
    inode.flip(offset, bit)
  }

  /** What was meant for one sector lies in another one too, durably: the disk's own address was wrong. */
  misdirect(path: string, from: number, to: number): void {
    const inode = this.#names.get(path)
    if (inode === undefined) throw ioError('ENOENT', path)
    const bytes = inode.read(from, sector)
    for (const [index, byte] of inode.read(to, bytes.length).entries())
      for (let bit = 0; bit < 8; bit++) if (((byte ^ bytes[index]!) >> bit) & 1) inode.flip(to + index, bit)
  }

  /** What of this disk is durable now, as a disk that knows nothing of what comes later. */
  backup(random: SeededRandom): SimDisk {
    const copy = new SimDisk(random)
    for (const [path, inode] of this.#durableNames) {
      const kept = inode.backup()
      copy.#names.set(path, kept)
      copy.#durableNames.set(path, kept)
    }
    return copy
  }

  /** Changes of names in one folder that happen together or not at all. */
  #name(...together: NameChange[]): void {
    for (const { path, inode } of together) setName(this.#names, path, inode)
    const folder = dirname(together[0]!.path)
    const changes = this.#nameChanges.get(folder)
    if (changes === undefined) this.#nameChanges.set(folder, [together])
    else changes.push(together)
  }

  #file(path: string, inode: Inode, writable: boolean): DiskFile {
    const generation = this.#generation
    let broken = false
    const use = <T>(run: () => T): Promise<T> =>
      later(() => {
        if (generation !== this.#generation) throw ioError('EIO', path)
        return run()
      })
    return {
      read: (offset, length) =>
        use(() => {
          if (this.failRead > 0 && this.#random.chance(this.failRead)) throw ioError('EIO', path)
          return inode.read(offset, length)
        }),
      write: (offset, parts) =>
        use(() => {
          if (!writable || broken) throw ioError(broken ? 'EIO' : 'EBADF', path)
          const bytes = Buffer.concat(parts)
          const growth = Math.max(0, offset + bytes.length - inode.length)
          if (this.usedBytes + growth > this.capacity) throw ioError('ENOSPC', path)
          inode.write(offset, bytes)
        }),
      sync: () =>
        use(() => {
          if (this.failSync) {
            this.failSync = false
            broken = true
            throw ioError('EIO', path)
          }
          inode.sync()
        }),
      truncate: (length) => use(() => inode.truncate(length)),
      size: () => use(() => inode.length),
      close: () => Promise.resolve(),
    }
  }
}

/** A disk answers in a later turn, as a real one does. */
async function later<T>(run: () => T): Promise<T> {
  await Promise.resolve()
  return run()
}

function setName(names: Map<string, Inode>, path: string, inode: Inode | undefined): void {
  if (inode === undefined) names.delete(path)
  else names.set(path, inode)
}

function ioError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, path })
}
