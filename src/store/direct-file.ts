/**
 * A file read past the system's page cache (`O_DIRECT`), so that what is compared is what the disk has. Where
 * a system or file system offers no such thing (macOS, Windows, some network drives), it is read as usual.
 */
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { DiskFile } from '../base/disk.ts'
import { alignedMemory, blockBytes, isRefused } from './direct.ts'

const windowBytes = 1024 * 1024

/** One for all readers, in turn. */
let memory: Uint8Array | undefined
let turn: Promise<unknown> = Promise.resolve()

export async function openDirect(path: string): Promise<DiskFile> {
  const { O_RDONLY, O_DIRECT } = constants
  // Only Linux has it, whatever the types say.
  const handle = await open(path, O_RDONLY | ((O_DIRECT as number | undefined) ?? 0)).catch(
    (thrown: unknown) => {
      if (isRefused(thrown)) return open(path, O_RDONLY)
      throw thrown
    },
  )
  return new DirectFile(handle, path)
}

class DirectFile implements DiskFile {
  readonly #path: string
  #handle: FileHandle

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle
    this.#path = path
  }

  read(offset: number, length: number): Promise<Buffer> {
    const result = turn.then(() => this.#read(offset, length))
    turn = result.catch(() => undefined)
    return result
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const at = offset + filled
      const start = at - (at % blockBytes)
      const window = await this.#window(start, Math.ceil((offset + length - start) / blockBytes) * blockBytes)
      const part = window.subarray(at - start, at - start + length - filled)
      if (part.length === 0) break
      bytes.set(part, filled)
      filled += part.length
    }
    return bytes.subarray(0, filled)
  }

  async #window(start: number, wanted: number): Promise<Uint8Array> {
    memory ??= alignedMemory(windowBytes)
    const length = Math.min(wanted, windowBytes)
    const { bytesRead } = await this.#handle.read(memory, 0, length, start).catch(async (thrown: unknown) => {
      if (!isRefused(thrown)) throw thrown
      await this.#handle.close()
      this.#handle = await open(this.#path, constants.O_RDONLY)
      return this.#handle.read(memory!, 0, length, start)
    })
    return memory.subarray(0, bytesRead)
  }

  write(): Promise<void> {
    return neverWritten()
  }

  sync(): Promise<void> {
    return neverWritten()
  }

  truncate(): Promise<void> {
    return neverWritten()
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

function neverWritten(): Promise<never> {
  return Promise.reject(new Error('a file opened for direct reading is not written'))
}
