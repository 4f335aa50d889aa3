/** `export`: keys, settings and all records of a running peer, as one file. */
import { join } from 'node:path'
import { poolFileBytes, type PoolKeys } from '../access/device-keys.ts'
import { newLock, type LockSecret } from '../access/key-lock.ts'
import { readSecret } from '../access/secret-file.ts'
import { timeText } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { RecordHash } from '../base/words.ts'
import type { Core } from './create-core.ts'
import { exportedFiles, writeExport, type ExportPart } from './export-file.ts'
import { countFilesOnlyHere } from './status.ts'
import { programVersion } from './version.ts'

export interface ExportParts {
  core: () => Core
  keys: () => PoolKeys
  home: string
  random: Random
  /** Wall milliseconds. */
  now: () => number
}

/** Changes looked at in one step. */
const page = 1000

/** The bytes of the file; with `secret` its keys are sealed by that, else as they are in this home. */
export async function exportOf(parts: ExportParts, secret?: LockSecret): Promise<AsyncGenerator<Uint8Array>> {
  const files = await filesOf(parts, secret)
  const { catalogue, store } = parts.core()
  const batches: RecordHash[] = []
  const last = store.read.lastChange()
  for (let since = 0; since < last;) {
    const changes = store.read.changes(since, page)
    batches.push(...changes.batches)
    since = changes.upTo
  }
  const onlyHere = await countFilesOnlyHere(parts.core())
  const { pool, device } = catalogue
  const made = timeText(parts.now())
  const head = { pool, device, made, version: programVersion, batches: batches.length, onlyHere }
  const statements = store.read.statements().map(({ bytes }): ExportPart => ({ part: 'statement', bytes }))
  return writeExport(partsOf(parts.core(), [{ part: 'head', head }, ...files], batches, statements))
}

async function* partsOf(
  { catalogue }: Core,
  before: readonly ExportPart[],
  batches: readonly RecordHash[],
  after: readonly ExportPart[],
): AsyncGenerator<ExportPart> {
  yield* before
  for (const last of batches) yield { part: 'batch', bytes: (await catalogue.batch(last)).bytes }
  // Where the others were last: who is restored asks there.
  yield* after
}

async function filesOf(
  { home, keys, random }: ExportParts,
  secret: LockSecret | undefined,
): Promise<ExportPart[]> {
  const { lock, locked } = keys()
  if (secret !== undefined && (lock !== undefined || locked === true)) throw fail('LOCK_SET')
  const sealed = secret && poolFileBytes({ ...keys(), lock: await newLock(secret, random) }, random)
  const files: ExportPart[] = []
  for (const name of exportedFiles) {
    const bytes = (name === 'keys/pool.json' ? sealed : undefined) ?? (await readSecret(join(home, name)))
    if (bytes !== undefined) files.push({ part: 'file', name, bytes })
  }
  return files
}
