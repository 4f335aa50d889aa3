/** Looks for many short byte strings in large files at once: how the demo and the tests prove that a device holds nothing readable. */
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemRandom } from '../base/random.ts'

const blockBytes = 8 * 2 ** 20

/** Every regular file below a folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/**
 * Up to `count` random windows of `length` bytes from files. Windows of few different bytes (padding,
 * zeros) are left out, because they would turn up anywhere by chance.
 */
export async function randomWindows(
  files: readonly string[],
  count: number,
  length: number,
): Promise<Buffer[]> {
  const windows: Buffer[] = []
  for (let tries = 0; windows.length < count && tries < count * 20; tries++) {
    const file = await open(files[Math.floor(systemRandom.number() * files.length)] ?? '')
    try {
      const { size } = await file.stat()
      if (size < length) continue
      const window = Buffer.alloc(length)
      await file.read(window, 0, length, Math.floor(systemRandom.number() * (size - length + 1)))
      if (new Set(window).size >= Math.min(16, length / 2)) windows.push(window)
    } finally {
      await file.close()
    }
  }
  return windows
}

/** The needles (each at least 2 bytes) that occur in any of the files. */
export async function findNeedles(
  files: readonly string[],
  needles: readonly Buffer[],
): Promise<Set<Buffer>> {
  const byStart = new Map<number, Buffer[]>()
  for (const needle of needles) {
    const start = needle.readUInt16LE(0)
    byStart.set(start, [...(byStart.get(start) ?? []), needle])
  }
  const starts = new Uint8Array(65_536)
  for (const start of byStart.keys()) starts[start] = 1
  const overlap = Math.max(2, ...needles.map((needle) => needle.length)) - 1
  const hits = new Set<Buffer>()
  for (const file of files)
    for await (const block of overlappingBlocks(file, overlap)) findInBlock(block, starts, byStart, hits)
  return hits
}

function findInBlock(
  block: Buffer,
  starts: Uint8Array,
  byStart: Map<number, Buffer[]>,
  hits: Set<Buffer>,
): void {
  for (let at = 0; at + 1 < block.length; at++) {
    const start = block[at]! | (block[at + 1]! << 8)
    if (starts[start] === 0) continue
    for (const needle of byStart.get(start) ?? [])
      if (block.subarray(at, at + needle.length).equals(needle)) hits.add(needle)
  }
}

/** A file in blocks, each beginning with the last `overlap` bytes of the one before. */
async function* overlappingBlocks(path: string, overlap: number): AsyncIterable<Buffer> {
  const file = await open(path)
  try {
    for (let offset = 0; ; offset += blockBytes - overlap) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(blockBytes), 0, blockBytes, offset)
      yield buffer.subarray(0, bytesRead)
      if (bytesRead < blockBytes) return
    }
  } finally {
    await file.close()
  }
}
