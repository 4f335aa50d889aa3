/** Reads local files so that what is stored is what one moment showed: a changed file is an error. */
import { type FileHandle, open } from 'node:fs/promises'
import { type Stats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { fail } from '../base/errors.ts'
import { localError } from './walk.ts'

const pieceBytes = 256 * 1024

/** Opens what `lstat` saw, not a link or pipe that took its place. */
const openFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** A small file whole. Synchronous: thousands of these are read while the stream to the peer is full. */
export function readSmall(local: string, stats: Stats): Uint8Array {
  let file: number | undefined
  try {
    file = openSync(local, openFlags)
    // Filled to its end, or refused below.
    const content = Buffer.allocUnsafeSlow(stats.size)
    let filled = 0
    while (filled < content.length) {
      const read = readSync(file, content, filled, content.length - filled, filled)
      if (read === 0) break
      filled += read
    }
    if (stats.size === 0) requireEmpty(local, readSync(file, new Uint8Array(1), 0, 1, 0))
    requireSame(local, stats, fstatSync(file), filled)
    return content
  } catch (thrown) {
    throw localError(thrown, local)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** A file in pieces, from `offset` on. */
export async function* readLarge(local: string, stats: Stats, from = 0): AsyncGenerator<Uint8Array> {
  const file: FileHandle = await open(local, openFlags).catch((thrown: unknown) => {
    throw localError(thrown, local)
  })
  try {
    let offset = from
    while (offset < stats.size) {
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, stats.size - offset))
      const { bytesRead } = await file.read(piece, 0, piece.length, offset)
      if (bytesRead === 0) break
      offset += bytesRead
      // The last piece goes out only when the file is still the one it was.
      if (offset >= stats.size) requireSame(local, stats, await file.stat(), offset)
      yield piece.subarray(0, bytesRead)
    }
    if (offset !== stats.size) throw fail('SOURCE_CHANGED', { path: local })
  } finally {
    await file.close()
  }
}

/** Files such as those of /proc say they are empty and are not: better refused than stored as nothing. */
function requireEmpty(local: string, read: number): void {
  if (read > 0) throw fail('BAD_INPUT', { what: local, reason: 'it holds more than it says' })
}

function requireSame(local: string, before: Stats, now: Stats, read: number): void {
  if (
    read !== before.size ||
    now.size !== before.size ||
    now.mtimeMs !== before.mtimeMs ||
    now.ino !== before.ino
  )
    throw fail('SOURCE_CHANGED', { path: local })
}
