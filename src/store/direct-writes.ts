/**
 * Bulk writes past the page cache (`O_DIRECT`, Linux), where the file system takes them. Finding memory
 * for a gigabyte that nobody reads soon costs the kernel more than all the rest of an upload
 * (docs/ARCHITECTURE.md). Only whole blocks can go this way, from memory that begins on a block.
 */
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { alignedMemory, blockBytes, isRefused } from './direct.ts'

const stagingBytes = 4 * 1024 * 1024

/** A file once more, opened for writing past the page cache. */
export class DirectWrites {
  readonly #handle: FileHandle
  #refused = false

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /** Undefined where there is no such writing. By its descriptor: whatever its path names by now. */
  static async open(file: FileHandle): Promise<DirectWrites | undefined> {
    if (process.platform !== 'linux') return undefined
    try {
      const flags = constants.O_WRONLY | constants.O_DIRECT
      return new DirectWrites(await open(`/proc/self/fd/${file.fd}`, flags))
    } catch {
      return undefined
    }
  }

  /**
   * Writes the whole blocks at the beginning of `parts` from `offset`, a multiple of `blockBytes`. The
   * count of bytes written: fewer, or 0, where the file system refuses; the caller writes the rest.
   */
  async write(offset: number, parts: readonly Uint8Array[]): Promise<number> {
    const memory = this.#refused ? undefined : takeStaging()
    if (memory === undefined) return 0
    let written = 0
    try {
      for (const length of filled(memory, parts)) {
        const { bytesWritten } = await this.#handle.write(memory, 0, length, offset + written)
        written += bytesWritten
        if (bytesWritten < length) break
      }
    } catch (thrown) {
      if (!isRefused(thrown)) throw thrown
      this.#refused = true
    } finally {
      staging = memory
    }
    return written
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** One memory for the whole process: who finds it in use writes through the page cache. */
let staging: Uint8Array | undefined
let isMade = false

function takeStaging(): Uint8Array | undefined {
  const taken = isMade ? staging : makeStaging()
  isMade = true
  staging = undefined
  return taken
}

/** Where there is no such memory nothing is lost. */
function makeStaging(): Uint8Array | undefined {
  try {
    return alignedMemory(stagingBytes)
  } catch {
    return undefined
  }
}

/** Fills `memory` again and again with the bytes of `parts`; tells how many, in whole blocks. */
function* filled(memory: Uint8Array, parts: readonly Uint8Array[]): Generator<number> {
  let at = 0
  for (const part of parts) {
    for (let from = 0; from < part.length;) {
      const piece = part.subarray(from, from + memory.length - at)
      memory.set(piece, at)
      at += piece.length
      from += piece.length
      if (at < memory.length) continue
      yield at
      at = 0
    }
  }
  const whole = at - (at % blockBytes)
  if (whole > 0) yield whole
}
