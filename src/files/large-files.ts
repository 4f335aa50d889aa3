/** What could go when a folder or this device is full: files, old versions and what lies in the trash, the largest and oldest first. */
import { timeText } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { SizedVersion } from '../store/index-reader.ts'
import type { FilesParts } from './files-parts.ts'
import type { Candidate } from './files.ts'
import { openPlace } from './place.ts'
import { mayRead } from './list.ts'

/** Versions looked at in one step: some milliseconds. */
const stepVersions = 1000

export interface LargeOptions {
  /** Of this folder only what shows: that alone counts for its quota. */
  folder?: string | undefined
  limit?: number | undefined
}

type Sized = SizedVersion & { folder: string }

export async function largeFiles(
  parts: FilesParts,
  { folder, limit = 20 }: LargeOptions = {},
): Promise<{ entries: Candidate[] }> {
  if (folder !== undefined) openPlace(parts, 'read', folder)
  const most = Math.min(limit, limits.listEntries)
  let found: Sized[] = []
  for (const { id, name } of parts.catalogue.folders()) {
    if (name === undefined || (folder ?? name) !== name || !mayRead(parts, name)) continue
    let after: number | undefined = 0
    while (after !== undefined) {
      const step = parts.store.read.sizedVersions(id, after, stepVersions)
      const wanted = step.entries.filter(({ what }) => folder === undefined || what === 'file')
      found = [...found, ...wanted.map((one) => ({ ...one, folder: name }))].sort(bySize).slice(0, most)
      after = step.next
      await parts.clock.sleep(0)
    }
  }
  return { entries: found.map(lineOf) }
}

const bySize = (a: Sized, b: Sized): number => b.size - a.size || a.written - b.written

const lineOf = ({ folder, path, what, version, size, written }: Sized): Candidate => ({
  path: `${folder}/${path}`,
  what,
  size,
  written: timeText(written),
  version,
})
