/**
 * `start --restore`: makes the device of an export again, in a home that has no keys. Everything is checked
 * before anything is written, records by their signatures; the file of keys comes last, so what breaks off
 * before it is no device yet, and is begun again. Content comes from the other devices.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { loadPoolKeys, lockedKeys, type PoolKeys } from '../access/device-keys.ts'
import { openCatalogue } from '../access/open-catalogue.ts'
import { peerIdOf } from '../access/peer-id.ts'
import { readSecret, writeSecret } from '../access/secret-file.ts'
import { asPeerStorError, fail } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { signingKey } from '../codec/sign.ts'
import { categoryOf } from '../files/mime.ts'
import { checkPath } from '../files/paths.ts'
import { openStore } from '../store/open-store.ts'
import { checkExport, exportedFiles, readExport, type ExportedFile, type ExportHead } from './export-file.ts'
import type { Home } from './home.ts'
import { withoutLocalSettings } from './open-settings.ts'

export interface RestoreParts {
  home: Pick<Home, 'folder' | 'database' | 'tmp'>
  storage: string
  disk: Disk
  clock: Clock
  random: Random
  log: Log
}

/** An export that was found whole, for an empty home. */
export interface Restoring {
  path: string
  head: ExportHead
  files: ReadonlyMap<ExportedFile, Uint8Array>
}

/** Bytes of records taken in at once. */
const sliceBytes = 2 ** 20

/** Checks the file and the home, and brings the settings; `EXPORT_INVALID`, `HOME_NOT_EMPTY`. */
export async function beginRestore(home: Pick<Home, 'folder'>, path: string): Promise<Restoring> {
  const head = await checkExport(path)
  const files = new Map<ExportedFile, Uint8Array>()
  for await (const part of readExport(path)) if (part.part === 'file') files.set(part.name, part.bytes)
  for (const name of ['keys/peer.key', 'keys/pool.json'] as const)
    if (!files.has(name)) throw fail('EXPORT_INVALID', { path, reason: `it has no ${name}` })
  const peerKey = await readSecret(join(home.folder, 'keys/peer.key'))
  const isOther = peerKey !== undefined && Buffer.compare(peerKey, files.get('keys/peer.key')!) !== 0
  if (isOther || (await readSecret(join(home.folder, 'keys/pool.json'))) !== undefined)
    throw fail('HOME_NOT_EMPTY', { home: home.folder })
  const settings = files.get('config.toml')
  if (settings !== undefined && (await readSecret(join(home.folder, 'config.toml'))) === undefined)
    await writeSecret(
      join(home.folder, 'config.toml'),
      withoutLocalSettings(path, Buffer.from(settings).toString('utf8')),
    )
  return { path, head, files }
}

/** Brings the records, then the keys. */
export async function endRestore(parts: RestoreParts, restoring: Restoring): Promise<void> {
  const keys = await keysIn(parts, restoring)
  await restoreRecords(parts, restoring, keys)
  for (const name of exportedFiles) {
    const bytes = restoring.files.get(name)
    if (name !== 'config.toml' && bytes !== undefined) await writeSecret(join(parts.home.folder, name), bytes)
  }
  const { made, onlyHere } = restoring.head
  parts.log.warn('this device was restored: should the one it is a copy of still run, stop that one', {
    made,
  })
  if (onlyHere > 0) parts.log.warn('the content of some files was on that device alone', { files: onlyHere })
}

/** Of the pool file in the export, read where nobody takes it for this home's. */
async function keysIn({ home }: RestoreParts, { path, files, head }: Restoring): Promise<PoolKeys> {
  const seed = files.get('keys/peer.key')!
  if (seed.length !== 32) throw fail('EXPORT_INVALID', { path, reason: 'its peer.key is damaged' })
  const place = join(home.tmp, 'restore')
  await writeSecret(join(place, 'keys/pool.json'), files.get('keys/pool.json')!)
  const keys = await loadPoolKeys(place, signingKey(seed)).catch((thrown: unknown) => {
    throw fail('EXPORT_INVALID', { path, reason: asPeerStorError(thrown).message }, thrown)
  })
  // A lock made later must not leave these keys readable here.
  await rm(place, { recursive: true })
  if (keys?.pool !== head.pool) throw fail('EXPORT_INVALID', { path, reason: 'its keys are of another pool' })
  return keys
}

/** Like records from anybody: what is not signed by who it says is refused. */
async function restoreRecords(parts: RestoreParts, restoring: Restoring, keys: PoolKeys): Promise<void> {
  const { clock, random, log, disk, storage: folder, home } = parts
  const peer = peerIdOf(keys.secrets.peer.publicKey)
  const place = {
    disk,
    folder,
    database: home.database,
    pool: keys.pool,
    peer,
    contributed: 0,
    threaded: false,
  }
  const store = await openStore({ ...place, clock, random, log })
  try {
    const naming = { checkPath, categoryOf }
    const catalogue = await openCatalogue({ store, keys: lockedKeys(keys), clock, random, log, naming })
    // Compaction may have moved a batch behind those that follow it: they are taken in the next time round.
    for (let added = 1; added > 0;) {
      added = 0
      for await (const slice of slicesOf(restoring.path)) {
        const report = await catalogue.admit(slice)
        const [refused] = report.refused
        if (refused !== undefined) throw fail('EXPORT_INVALID', { path: restoring.path, ...refused })
        added += report.added
      }
    }
    for await (const part of readExport(restoring.path))
      if (part.part === 'statement') await catalogue.admitStatement(part.bytes)
    const own = catalogue.devices().find(({ device }) => device === catalogue.device)
    await catalogue.close()
    if (own === undefined)
      throw fail('EXPORT_INVALID', { path: restoring.path, reason: 'its records do not know its device' })
  } finally {
    await store.close()
  }
}

async function* slicesOf(path: string): AsyncGenerator<Uint8Array[]> {
  let slice: Uint8Array[] = []
  let bytes = 0
  for await (const part of readExport(path)) {
    if (part.part !== 'batch') continue
    slice.push(part.bytes)
    bytes += part.bytes.length
    if (bytes < sliceBytes) continue
    yield slice
    slice = []
    bytes = 0
  }
  if (slice.length > 0) yield slice
}
