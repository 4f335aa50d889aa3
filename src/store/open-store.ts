/**
 * Opens a store: brings segments and index together. The segments are the truth: the index follows
 * them from where it stopped, or is made anew when it is damaged, deleted or of another store.
 */
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import { asPeerStorError, fail, isCode, type PeerStorError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { idOf, type DatabaseId, type PeerId, type PoolId } from '../base/words.ts'
import { removeSegment } from './compact.ts'
import { IndexOnlyStore } from './index-only-store.ts'
import type { IndexOp } from './index-group.ts'
import { openIndexInline, openIndexThread, type IndexPlace, type IndexWriter } from './index-thread.ts'
import { LocalStore } from './local-store.ts'
import { opOf } from './log-entries.ts'
import {
  decodeFileHeader,
  EntryCodec,
  fileHeaderBytes,
  segmentFile,
  segmentNumber,
  type FileHeader,
  type Position,
} from './segment-format.ts'
import { SegmentLog, type OpenSegment } from './segment-log.ts'
import { SegmentReader } from './segment-reader.ts'
import { scanSegment } from './segment-scan.ts'
import { Space } from './space.ts'
import { SpareCopies } from './spare-copies.ts'
import type { IndexState } from './sqlite-index.ts'
import { SqliteReader } from './sqlite-reader.ts'
import { failWhenFull, inMemory, isDatabaseDamage, Sqlite } from './sqlite.ts'

export interface StoreOptions {
  disk: Disk
  /** Where segments lie; made when missing. */
  folder: string
  /** File of the index database, or `:memory:`. */
  database: string
  pool: PoolId
  /** This peer: chunks held here count as its holdings. */
  peer: PeerId
  /** Hard limit of chunk bytes kept here. */
  contributed: number
  clock: Clock
  random: Random
  log: Log
  /** The index on a thread of its own; with `:memory:` it is always on the caller's. */
  threaded: boolean
  /** File of the spare copies; left out: beside the index, none for one in memory. */
  spare?: string | undefined
}

/** A segment file as found. */
interface FoundSegment {
  number: number
  size: number
  /** Undefined when it is damaged. */
  header: FileHeader | undefined
}

/** Operations given to the index as one transaction while the log is read again. */
const replayOps = 2000

/** Opens or makes a store; fails with `STORAGE_MISSING`, `STORAGE_FAILED` or `FORMAT_UNKNOWN`. */
export async function openStore(options: StoreOptions): Promise<LocalStore> {
  try {
    return await openBoth(options)
  } catch (thrown) {
    return failWhenFull(thrown, options.database)
  }
}

async function openBoth(options: StoreOptions): Promise<LocalStore> {
  const { disk, folder, log, clock, contributed } = options
  const found = await findSegments(options)
  const segments = found.filter(({ header }) => header === undefined || header.pool === options.pool)
  const spare = await openSpare(options)
  const opened = await openIndex(options, segments, spare.logKey).catch(async (thrown: unknown) => {
    await spare.close()
    throw thrown
  })
  const { index, rebuilt } = opened
  const files = new SegmentReader(disk, folder)
  try {
    const { logKey } = index.state
    const codec = new EntryCodec(logKey)
    await finishRetired({ disk, folder, files, index })
    const live = segments.filter(({ number }) => !isRetired(index.state, number))
    const current = await replay({ ...options, index, codec, isKeyNew: opened.isKeyNew }, live)
    spare.keepLogKey(logKey)
    if (rebuilt) await index.dropStrayPins()
    const read = new SqliteReader(
      index.shared ?? new Sqlite(options.database, { synchronous: 'NORMAL', readOnly: true }),
    )
    const { used, chunks } = read.storage()
    const indexFolder = options.database === inMemory ? undefined : splitPath(options.database).dir
    const space = new Space({ disk, folder, indexFolder, clock, contributed, used, chunks })
    const nextNumber = 1 + Math.max(0, current?.number ?? 0, ...found.map(({ number }) => number))
    const { pool } = options
    const store = new LocalStore({
      disk,
      clock,
      folder,
      codec,
      log,
      index,
      read,
      files,
      space,
      spare,
      openLog: (onGroup) =>
        new SegmentLog({ disk, folder, pool, logKey, codec, log, onGroup }, current, nextNumber),
    })
    await store.bringBackSpare()
    return store
  } catch (thrown) {
    await spare.close()
    await files.close()
    await index.close()
    throw thrown
  }
}

function openSpare({ disk, database, spare, pool, log }: StoreOptions): Promise<SpareCopies> {
  const beside = database === inMemory ? undefined : besideIndex(database, '-spare.log')
  return SpareCopies.open({ disk, path: spare ?? beside, pool, log })
}

/**
 * Opens what can be used of a store whose folder is `away`; throws `away` when there is no index of this
 * pool that was written before.
 */
export async function openIndexOnly(options: StoreOptions, away: PeerStorError): Promise<IndexOnlyStore> {
  const { dir, base } = splitPath(options.database)
  if (options.database === inMemory || !(await options.disk.list(dir)).includes(base)) throw away
  const index = await openIndexOnce(options, options.random.bytes(32)).catch(() => {
    throw away
  })
  if (index.state.pool !== options.pool || index.state.position === undefined) {
    await index.close()
    throw away
  }
  const read = new SqliteReader(new Sqlite(options.database, { synchronous: 'NORMAL', readOnly: true }))
  return new IndexOnlyStore(index, read, await openSpare(options), away)
}

/** Reads the headers of all segment files. */
async function findSegments({ disk, folder, log, pool }: StoreOptions): Promise<FoundSegment[]> {
  const names = await storageAnswer(folder, async () => {
    await disk.makeFolder(folder)
    return disk.list(folder)
  })
  const found: FoundSegment[] = []
  for (const name of names) {
    const number = segmentNumber(name)
    if (number === undefined) continue
    const file = await storageAnswer(folder, () => disk.open(join(folder, name), 'read'))
    try {
      const header = decodeFileHeader(await file.read(0, fileHeaderBytes))
      if (header !== undefined && header.pool !== pool)
        log.debug('a segment of another pool is left alone', { name })
      found.push({ number, header: header?.number === number ? header : undefined, size: await file.size() })
    } finally {
      await file.close()
    }
  }
  return found.sort((a, b) => a.number - b.number)
}

async function storageAnswer<T>(folder: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (thrown) {
    if (isCode(thrown, 'DISK_FULL')) throw thrown
    throw fail('STORAGE_MISSING', { path: folder, reason: asPeerStorError(thrown).message }, thrown)
  }
}

/** The index that fits these segments: the one on disk, or a new one while the old is set aside. */
async function openIndex(
  options: StoreOptions,
  segments: readonly FoundSegment[],
  spareKey: Buffer | undefined,
): Promise<{ index: IndexWriter; rebuilt: boolean; isKeyNew: boolean }> {
  const logKey = segments.find(({ header }) => header !== undefined)?.header?.logKey
  const key = logKey ?? spareKey
  const newKey = options.random.bytes(32)
  const open = (): Promise<IndexWriter> => openIndexOnce(options, key ?? newKey)
  const made = (index: IndexWriter, rebuilt = true) => ({
    index,
    rebuilt,
    isKeyNew: index.state.logKey.equals(newKey),
  })
  let reason: string
  try {
    const index = await open()
    if (index.state.segments.length > 0 && segments.length === 0 && index.state.pool === options.pool) {
      await index.close()
      throw fail('STORAGE_MISSING', { path: options.folder })
    }
    const mismatch = mismatchOf(index.state, segments, options.pool, logKey)
    if (mismatch === undefined) return made(index, index.state.position === undefined)
    await index.close()
    if (index.state.pool !== options.pool) {
      await removeIndex(options)
      return made(await open())
    }
    reason = mismatch
  } catch (thrown) {
    if (!isDatabaseDamage(thrown)) throw thrown
    reason = asPeerStorError(thrown).message
  }
  options.log.warn('the index database is set aside and built again from the segments', { reason })
  await setAside(options)
  return made(await open())
}

async function openIndexOnce(options: StoreOptions, logKey: Buffer): Promise<IndexWriter> {
  const { database: path, pool, peer, random } = options
  const identity = { pool, peer, logKey, database: idOf<DatabaseId>(random.bytes(16)) }
  const place: IndexPlace = { path, own: ownPath(path), identity }
  return options.threaded && path !== inMemory ? openIndexThread(place) : openIndexInline(place)
}

/** Rows that only this peer knows lie beside the index, and stay when it is set aside. */
export function ownPath(database: string): string {
  return database === inMemory ? inMemory : besideIndex(database, '-own.db')
}

function besideIndex(database: string, ending: string): string {
  return database.replace(/(\.db)?$/, ending)
}

/** Why an index does not belong to these segments; undefined when it does. */
function mismatchOf(
  state: IndexState,
  segments: readonly FoundSegment[],
  pool: PoolId,
  logKey: Buffer | undefined,
): string | undefined {
  if (state.pool !== pool) return 'it is of another pool'
  if (logKey !== undefined && !logKey.equals(state.logKey)) return 'it belongs to other segments'
  const sizes = new Map(segments.map(({ number, size }) => [number, size]))
  const missing = state.segments.find(({ number, retired }) => !retired && !sizes.has(number))
  if (missing !== undefined) return `${segmentFile(missing.number)} is gone`
  const { position } = state
  if (position === undefined) return undefined
  if ((sizes.get(position.segment) ?? 0) < position.offset)
    return `${segmentFile(position.segment)} is shorter`
  const known = new Set(state.segments.map(({ number }) => number))
  const unknown = segments.find(({ number }) => number < position.segment && !known.has(number))
  return unknown === undefined ? undefined : `${segmentFile(unknown.number)} has come back`
}

async function setAside({ disk, database, clock }: StoreOptions): Promise<void> {
  const { dir, names } = await indexFiles(disk, database)
  for (const name of names)
    try {
      await disk.rename(join(dir, name), join(dir, `${name}.aside-${clock.now()}`))
    } catch (thrown) {
      // SQLite's own closing may take its side files away meanwhile; what is still there must go.
      if ((await disk.list(dir)).includes(name)) throw thrown
    }
}

/** The index of another pool holds names that this one has no business with; its segments give it again. */
async function removeIndex({ disk, database }: StoreOptions): Promise<void> {
  const { dir, names } = await indexFiles(disk, database)
  for (const name of names.toReversed()) await disk.remove(join(dir, name))
}

/** The database and what SQLite keeps beside it. */
async function indexFiles(disk: Disk, database: string): Promise<{ dir: string; names: string[] }> {
  const { dir, base } = splitPath(database)
  const there = await disk.list(dir)
  return { dir, names: [base, `${base}-wal`, `${base}-shm`].filter((name) => there.includes(name)) }
}

function splitPath(path: string): { dir: string; base: string } {
  const parts = /^(.*)[\\/]([^\\/]+)$/.exec(path)
  return parts === null ? { dir: '.', base: path } : { dir: parts[1]!, base: parts[2]! }
}

function isRetired(state: IndexState, number: number): boolean {
  return state.segments.some((segment) => segment.number === number && segment.retired)
}

/** Ends compactions that a crash interrupted after their copies were indexed. */
async function finishRetired(parts: Parameters<typeof removeSegment>[0]): Promise<void> {
  for (const { number, retired } of parts.index.state.segments)
    if (retired) await removeSegment(parts, number)
}

interface ReplayParts extends StoreOptions {
  index: IndexWriter
  codec: EntryCodec
  /** No place had the log key: what cannot be read with this one may be sound. */
  isKeyNew: boolean
}

/** Brings the index up to the end of the log; gives the segment to go on with. */
async function replay(
  parts: ReplayParts,
  segments: readonly FoundSegment[],
): Promise<OpenSegment | undefined> {
  const from = parts.index.state.position ?? { segment: 0, offset: 0 }
  const last = segments.at(-1)
  for (const [index, segment] of segments.entries()) {
    if (segment.number < from.segment) continue
    const start = segment.number === from.segment ? from.offset : 0
    if (segment === last) return replayLast(parts, segment, start)
    const next = segments[index + 1]!
    const counts = next.number === segment.number + 1 ? next.header?.previousEnd : undefined
    if (counts !== undefined && counts > segment.size) reportDamage(parts.log, segment.number, segment.size)
    const end = Math.min(segment.size, counts ?? segment.size)
    await replaySegment(parts, { segment: segment.number, from: start, end, durableTo: end })
  }
  return undefined
}

/** Reads the last segment, cuts its torn tail, and syncs what a killed process may have left unsynced. */
async function replayLast(
  parts: ReplayParts,
  { number, size, header }: FoundSegment,
  start: number,
): Promise<OpenSegment | undefined> {
  const { disk, folder, log, isKeyNew } = parts
  const path = join(folder, segmentFile(number))
  const scan = { segment: number, from: start, end: size, durableTo: start }
  const end = await replaySegment(parts, scan)
  if (header === undefined) {
    if (end > fileHeaderBytes) return undefined
    // A header and its first entries are synced together: without entries nothing was acknowledged here.
    if (!isKeyNew || size <= fileHeaderBytes) await disk.remove(path)
    else await disk.rename(path, `${path}.aside-${parts.clock.now()}`)
    return undefined
  }
  const file = await storageAnswer(folder, () => disk.open(path, 'write'))
  if (end < size) {
    log.warn('the torn tail of the last segment is cut off', {
      segment: segmentFile(number),
      bytes: size - end,
    })
    await file.truncate(end)
  }
  await file.sync()
  await disk.syncFolder(folder)
  return { number, file, end, durableTo: end, isNew: false }
}

/** Gives one segment's entries to the index; returns where the log goes on. */
async function replaySegment(
  parts: ReplayParts,
  scan: { segment: number; from: number; end: number; durableTo: number },
): Promise<number> {
  const { disk, folder, codec, index, log } = parts
  const file = await disk.open(join(folder, segmentFile(scan.segment)), 'read')
  const onDamage = (offset: number): void => reportDamage(log, scan.segment, offset)
  let ops: IndexOp[] = []
  const flush = async (position: Position): Promise<void> => {
    await index.apply({ ops, position })
    ops = []
  }
  try {
    const entries = scanSegment({ ...scan, file, codec, onDamage })
    for (;;) {
      const step = await entries.next()
      if (step.done === true) {
        const offset = Math.max(step.value, fileHeaderBytes)
        await flush({ segment: scan.segment, offset })
        return offset
      }
      const { header, location } = step.value
      try {
        ops.push(opOf(step.value))
      } catch (thrown) {
        log.error('an entry of a segment is not valid', {
          offset: location.offset,
          reason: asPeerStorError(thrown).message,
        })
      }
      if (ops.length >= replayOps && !header.more)
        await flush({ segment: scan.segment, offset: location.offset + header.length })
    }
  } finally {
    await file.close()
  }
}

function reportDamage(log: Log, segment: number, offset: number): void {
  log.error('a segment is damaged', { segment: segmentFile(segment), offset })
}
