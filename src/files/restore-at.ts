/**
 * The time machine: what shows at a place and below it becomes what showed there at a time. Versions are
 * written anew, no content is read or sent; what came later goes to the trash. It is written in batches,
 * and run again it goes on where it stopped. Everything until `undo` lies before it, so that
 * `restore PATH --at UNDO` takes it back.
 */
import { isDeepStrictEqual } from 'node:util'
import type { NewVersion } from '../access/catalogue.ts'
import { timeText } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { CallOptions, EntryId, RecordHash } from '../base/words.ts'
import type { EntryRow, VersionRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import type { TreeRestored } from './files.ts'
import { foldersAbove } from './paths.ts'
import { everythingBelow, headsOf, hiddenAt, openPlace, requireFoldersAbove, type Place } from './place.ts'
import { bodyAgain, bodyOf, contentAgain, tombstone } from './version-bodies.ts'

export interface RestoreAtOptions extends CallOptions<{ done: number; total: number }> {
  /** Says what would be done, and does nothing. */
  dryRun?: boolean | undefined
}

/** Rows read, and versions written, at once. */
const stepRows = 250

interface Step {
  action: 'return' | 'change' | 'remove'
  entry: EntryId
  path: string
  size: number
  /** What it becomes again; none for what goes to the trash. */
  version: RecordHash | undefined
}

interface Plan {
  steps: Step[]
  unchanged: number
  notKept: number
}

export async function restoreAt(
  parts: FilesParts,
  path: string,
  at: number,
  options: RestoreAtOptions = {},
): Promise<TreeRestored> {
  const place = openPlace(parts, 'write', path)
  requireFoldersAbove(parts, place)
  const plan = await planFor(parts, place, at)
  options.signal?.throwIfAborted()
  const idle = options.dryRun === true || plan.steps.length === 0
  const undo = idle ? undefined : parts.catalogue.cut()
  if (!idle) await carryOut(parts, place, plan.steps, options)
  return told(place, at, plan, undo)
}

function told(
  place: Place,
  at: number,
  { steps, unchanged, notKept }: Plan,
  undo: number | undefined,
): TreeRestored {
  const count = (wanted: Step['action']): number => steps.filter(({ action }) => action === wanted).length
  const brought = steps.filter(({ action }) => action !== 'remove')
  return {
    path: place.text,
    at: timeText(at),
    size: brought.reduce((sum, { size }) => sum + size, 0),
    returned: count('return'),
    changed: count('change'),
    removed: count('remove'),
    unchanged,
    notKept,
    entries: steps
      .slice(0, limits.listEntries)
      .map(({ action, path }) => ({ path: `${place.folder}/${path}`, action })),
    ...(undo === undefined ? {} : { undo: timeText(undo) }),
  }
}

/** Removals first: nothing that comes back is hidden by what goes. */
async function planFor(parts: FilesParts, place: Place, at: number): Promise<Plan> {
  const wanted = await shownThen(parts, place, at)
  const wasThere = wanted.size > 0
  const paths = new Set([...wanted.values()].map(({ path }) => path))
  const changes: Step[] = []
  const others: EntryRow[] = []
  let looked = 0
  const kept = (then: Then, now: EntryRow): void => {
    wanted.delete(then.entry)
    if (!isSame(parts, now, then)) changes.push({ action: 'change', ...then, entry: now.entry })
    else unchanged += 1
  }
  let unchanged = 0
  for (const now of everythingNow(parts, place)) {
    const then = wanted.get(now.entry)
    if (then === undefined) others.push(now)
    else kept(then, now)
    if ((looked += 1) % stepRows === 0) await parts.clock.sleep(0)
  }
  const left = pairByPath(others, wanted, kept)
  const later = left.map((now) => ({ now, earlier: lastUntil(parts, now, at) }))
  if (!wasThere && later.every(({ earlier }) => earlier === undefined))
    throw fail('NOT_FOUND', { what: 'file or folder', name: `${place.text} at ${timeText(at)}` })
  const stays = ({ now, earlier }: (typeof later)[number]): boolean =>
    earlier?.gone === true && earlier.kind !== 'removed' && !isInTheWay(now, paths)
  const removed = later.filter((one) => !stays(one))
  return {
    steps: [
      ...removed.map(({ now }): Step => ({ action: 'remove', ...thenOf(now), version: undefined })),
      ...changes,
      ...[...wanted.values()].map((then): Step => ({ action: 'return', ...then })),
    ],
    unchanged,
    notKept: later.length - removed.length,
  }
}

/** What lies where something else lay then becomes that; gives what is left. */
function pairByPath(
  others: readonly EntryRow[],
  wanted: ReadonlyMap<EntryId, Then>,
  kept: (then: Then, now: EntryRow) => void,
): EntryRow[] {
  const byPath = new Map([...wanted.values()].map((then) => [then.path, then]))
  return others.filter((now) => {
    const then = now.shadowed ? undefined : byPath.get(now.path)
    if (then === undefined || (then.kind === 'folder') !== (now.kind === 'folder')) return true
    kept(then, now)
    return false
  })
}

const isInTheWay = ({ path }: EntryRow, wanted: ReadonlySet<string>): boolean =>
  [path, ...foldersAbove(path)].some((above) => wanted.has(above))

type Then = Pick<VersionRow, 'entry' | 'version' | 'path' | 'size' | 'kind'>

/** What showed at the place and below it, by entry. */
async function shownThen(parts: FilesParts, place: Place, at: number): Promise<Map<EntryId, Then>> {
  const found = new Map<EntryId, Then>()
  const self = place.path === '' ? undefined : shownAt(parts, place, at)
  if (self !== undefined) found.set(self.entry, thenOf(self))
  let cursor: string | undefined
  let last: string | undefined
  do {
    const { entries, next } = parts.store.read.belowAt(place.id, place.path, at, cursor, stepRows)
    // Of several at one path the latest showed.
    for (const row of entries) {
      if (row.path !== last) found.set(row.entry, thenOf(row))
      last = row.path
    }
    cursor = next
    await parts.clock.sleep(0)
  } while (cursor !== undefined)
  return found
}

const thenOf = ({ entry, version, path, size, kind }: Then): Then => ({ entry, version, path, size, kind })

/** The version that showed at exactly this place. */
function shownAt(parts: FilesParts, place: Place, at: number): VersionRow | undefined {
  return parts.store.read
    .entriesAt(place.id, place.path)
    .flatMap((entry) => lastUntil(parts, entry, at) ?? [])
    .filter((row) => row.path === place.path && row.kind !== 'removed' && row.gone !== true)
    .sort(byTime)
    .at(-1)
}

/** The last version of an entry until a time, also one that is no longer kept. */
function lastUntil(parts: FilesParts, { folder, entry }: EntryRow, at: number): VersionRow | undefined {
  return parts.store.read
    .versions(folder, entry)
    .filter(({ time, status }) => status === 'counted' && time.ms <= at)
    .sort(byTime)
    .at(-1)
}

const byTime = (a: VersionRow, b: VersionRow): number =>
  a.time.ms - b.time.ms || a.time.counter - b.time.counter || (a.version < b.version ? -1 : 1)

/** Also what others hide: it would come out when what hides it goes. */
function* everythingNow(parts: FilesParts, place: Place): Generator<EntryRow> {
  const shown = place.path === '' ? undefined : parts.store.read.entryAt(place.id, place.path)
  if (shown !== undefined) yield shown
  yield* everythingBelow(parts, place)
  yield* hiddenAt(parts, place)
}

function isSame(parts: FilesParts, entry: EntryRow, then: Then): boolean {
  if (entry.version === then.version) return true
  const row = parts.store.read.version(then.version)
  return row !== undefined && isDeepStrictEqual(bodyAgain(parts, row), bodyOf(entry))
}

async function carryOut(
  parts: FilesParts,
  place: Place,
  steps: readonly Step[],
  { signal, onProgress }: RestoreAtOptions,
): Promise<void> {
  for (let done = 0; done < steps.length; done += stepRows) {
    signal?.throwIfAborted()
    const versions = steps.slice(done, done + stepRows).flatMap((step) => versionFor(parts, place, step))
    if (versions.length > 0) await parts.write(versions)
    onProgress?.({ done: Math.min(done + stepRows, steps.length), total: steps.length })
  }
}

/** Made right before it is written: it replaces what shows at that moment. */
function versionFor(parts: FilesParts, place: Place, step: Step): NewVersion[] {
  const { read } = parts.store
  const now = read.entry(place.id, step.entry)
  const isHere = now !== undefined && (now.kind === 'removed' || lies(now.path, place.path))
  if (step.version === undefined) return isHere && now.kind !== 'removed' ? [tombstone(now)] : []
  const row = read.version(step.version)
  if (row === undefined) return []
  // What was moved out of the place stays where it is now; here it is once more.
  return [
    {
      folder: place.id,
      ...(isHere ? { entry: now.entry, parents: headsOf(now) } : { parents: [] }),
      body: bodyAgain(parts, row),
      ...contentAgain(parts, row),
    },
  ]
}

const lies = (path: string, at: string): boolean => at === '' || path === at || path.startsWith(`${at}/`)
