/** The segments of a pool that this device has left. */
import { join } from 'node:path'
import type { Disk } from '../base/disk.ts'
import type { PoolId } from '../base/words.ts'
import { decodeFileHeader, fileHeaderBytes, segmentNumber } from './segment-format.ts'

/** Removes every segment whose intact header names `pool`; anything else in the folder stays. Gives their number. */
export async function removeSegmentsOf(disk: Disk, folder: string, pool: PoolId): Promise<number> {
  let removed = 0
  for (const name of await disk.list(folder)) {
    if (segmentNumber(name) === undefined) continue
    const path = join(folder, name)
    const file = await disk.open(path, 'read')
    const header = await file.read(0, fileHeaderBytes)
    await file.close()
    if (decodeFileHeader(header)?.pool !== pool) continue
    await disk.remove(path)
    removed += 1
  }
  await disk.syncFolder(folder)
  return removed
}
