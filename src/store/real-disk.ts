/** The disk of this machine: positional reads and writes through `fs/promises`. */
import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { Disk, DiskFile } from '../base/disk.ts'
import { fail } from '../base/errors.ts'
import { blockBytes } from './direct.ts'
import { openDirect } from './direct-file.ts'
import { DirectWrites } from './direct-writes.ts'

/** Most buffers that one `writev` takes on Linux (IOV_MAX). */
const partsPerWrite = 1024
/** Writes of this size and more go past the page cache, unless they are read soon. */
const bulkBytes = 256 * 1024

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = constants
const flags = { read: O_RDONLY, write: O_RDWR, create: O_RDWR | O_CREAT | O_EXCL }

export const realDisk: Disk = {
  async open(path, mode) {
    if (mode === 'direct') return openDirect(path)
    return new RealFile(await explained(path, open(path, flags[mode], 0o600)), path)
  },
  async list(folder) {
    try {
      return (await readdir(folder)).sort()
    } catch (thrown) {
      if (systemCode(thrown) === 'ENOENT') return []
      throw thrown
    }
  },
  async makeFolder(folder) {
    await explained(folder, mkdir(folder, { recursive: true, mode: 0o700 }))
  },
  async syncFolder(folder) {
    // Windows opens no folders; its file systems write names through.
    if (process.platform === 'win32') return
    const handle = await open(folder, O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  async rename(from, to) {
    await explained(from, rename(from, to))
  },
  async remove(path) {
    await rm(path, { force: true })
  },
  async freeBytes(folder) {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  },
}

class RealFile implements DiskFile {
  readonly #handle: FileHandle
  readonly #path: string
  #direct: Promise<DirectWrites | undefined> | undefined

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle
    this.#path = path
  }

  async read(offset: number, length: number): Promise<Buffer> {
    // Memory of its own, so that the reader may give it away to another thread.
    const buffer = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(buffer, filled, length - filled, offset + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return buffer.subarray(0, filled)
  }

  async write(offset: number, parts: readonly Uint8Array[], readSoon = false): Promise<void> {
    const isDirect = !readSoon && lengthOf(parts) >= bulkBytes
    const direct = isDirect ? await this.#openDirect() : undefined
    if (direct === undefined) return this.#writeCached(offset, parts)
    const head = blockBytes - (offset % blockBytes)
    await this.#writeCached(offset, firstOf(parts, head))
    const done = head + (await explained(this.#path, direct.write(offset + head, without(parts, head))))
    await this.#writeCached(offset + done, without(parts, done))
  }

  #openDirect(): Promise<DirectWrites | undefined> {
    return (this.#direct ??= DirectWrites.open(this.#handle))
  }

  async #writeCached(offset: number, parts: readonly Uint8Array[]): Promise<void> {
    let at = offset
    for (let first = 0; first < parts.length; first += partsPerWrite) {
      at += await this.#writeAll(at, parts.slice(first, first + partsPerWrite))
    }
  }

  /** Writes up to `partsPerWrite` parts; goes on after a short write. */
  async #writeAll(offset: number, parts: Uint8Array[]): Promise<number> {
    const total = lengthOf(parts)
    let rest = parts
    let written = 0
    while (written < total) {
      const { bytesWritten } = await explained(this.#path, this.#handle.writev(rest, offset + written))
      if (bytesWritten === 0) throw fail('DISK_FULL', { path: this.#path })
      written += bytesWritten
      if (written < total) rest = without(rest, bytesWritten)
    }
    return total
  }

  async sync(): Promise<void> {
    await explained(this.#path, this.#handle.datasync())
  }

  async truncate(length: number): Promise<void> {
    await explained(this.#path, this.#handle.truncate(length))
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async close(): Promise<void> {
    await (await this.#direct)?.close()
    await this.#handle.close()
  }
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

/** The first `count` bytes of `parts`. */
function firstOf(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  const first: Uint8Array[] = []
  let left = count
  for (const part of parts) {
    if (left === 0) break
    first.push(part.subarray(0, left))
    left -= first.at(-1)!.length
  }
  return first
}

/** `parts` without their first `count` bytes. */
function without(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count
  const rest: Uint8Array[] = []
  for (const part of parts) {
    if (skip < part.length) rest.push(part.subarray(skip))
    skip = Math.max(0, skip - part.length)
  }
  return rest
}

function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : undefined
}

/** A full disk becomes `DISK_FULL`; every other system error passes as it is. */
async function explained<T>(path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation
  } catch (thrown) {
    const code = systemCode(thrown)
    if (code === 'ENOSPC' || code === 'EDQUOT') throw fail('DISK_FULL', { path }, thrown)
    throw thrown
  }
}
