/**
 * Takes the files of a pool that this home has left into its new one. The old pool's segments are read
 * through an index in memory, opened with the old keys, and every file is written to the new pool like
 * any upload. What is there already is left alone, so that an interrupted run goes on; where something
 * else lies at a path, the file goes to `FOLDER/from DEVICE/PATH`.
 */
import { openCatalogue } from '../access/open-catalogue.ts'
import type { Catalogue } from '../access/catalogue.ts'
import type { PoolKeys } from '../access/device-keys.ts'
import { asPeerStorError, fail, isCode, type ErrorCode } from '../base/errors.ts'
import type { CallOptions, ChunkId } from '../base/words.ts'
import type { Codec, VerifiedBytes } from '../codec/codec.ts'
import { Thumbnails } from '../files/thumbnails.ts'
import { UploadBook } from '../files/upload-book.ts'
import { FolderQuotas } from '../files/folder-quotas.ts'
import type { FilesParts } from '../files/files-parts.ts'
import type { Files, ListedEntry } from '../files/files.ts'
import { ManifestNodes } from '../files/manifest-nodes.ts'
import { SmallFiles } from '../files/small-files.ts'
import { openFiles } from '../files/open-files.ts'
import { checkPath } from '../files/paths.ts'

import { categoryOf } from '../files/mime.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import type { Core, CoreParts } from './create-core.ts'
import { isSameContent } from './same-content.ts'

export interface Brought {
  /** Written to the new pool by this run. */
  files: number
  /** What could not be read, and why. */
  left: { path: string; reason: string }[]
}

/** One run, from the old pool to the new one. */
interface Run {
  from: Files
  to: Pick<Core, 'files' | 'catalogue'>
  device: string
  options: CallOptions
  brought: Brought
}

/** Reads everything that `oldKeys` open in the storage folder and puts it into `core`. */
export async function bringFiles(
  parts: Omit<CoreParts, 'keys'>,
  oldKeys: PoolKeys,
  core: Core,
  options: CallOptions = {},
): Promise<Brought> {
  const store = await openStore({
    ...parts,
    folder: parts.storage,
    database: ':memory:',
    spare: undefined,
    pool: oldKeys.pool,
    peer: parts.network.peer,
    contributed: 0,
    threaded: false,
  })
  try {
    const keys = { ...oldKeys, genesis: [] }
    const catalogue = await openCatalogue({ ...parts, keys, store, naming: { checkPath, categoryOf } })
    const from = openFiles(readingParts(parts, store, catalogue))
    const brought: Brought = { files: 0, left: [] }
    const run: Run = { from, to: core, device: parts.self.name(), options, brought }
    for (const folder of catalogue.folders()) await bringFolder(run, folder)
    await catalogue.close()
    return brought
  } finally {
    await store.close()
  }
}

async function bringFolder(
  run: Run,
  { name, policy }: ReturnType<Catalogue['folders']>[number],
): Promise<void> {
  if (name === undefined) return
  if (run.to.catalogue.folderNamed(name) === undefined) await run.to.catalogue.createFolder(name, policy)
  let cursor: string | undefined
  do {
    const page = await run.from.list(name, { recursive: true, cursor })
    for (const entry of page.entries) await bringOne(run, entry)
    cursor = page.next
  } while (cursor !== undefined)
}

/** One that can not be read keeps no other from coming along. */
async function bringOne(run: Run, entry: ListedEntry): Promise<void> {
  try {
    if (await bringToFirstFreePlace(run, entry)) run.brought.files += 1
  } catch (thrown) {
    const { code, message } = asPeerStorError(thrown)
    if (!unreadable.has(code)) throw thrown
    run.brought.left.push({ path: entry.path, reason: message })
  }
}

const unreadable = new Set<ErrorCode>([
  'CHUNK_UNAVAILABLE',
  'CHUNK_DAMAGED',
  'CHUNK_INVALID',
  'KEY_UNAVAILABLE',
])

/** Whether it was written; not when it is there already. */
async function bringToFirstFreePlace(run: Run, entry: ListedEntry): Promise<boolean> {
  for (const path of placesFor(entry.path, run.device)) {
    try {
      await write(run, entry, path)
      return true
    } catch (thrown) {
      if (!isTaken(thrown)) throw thrown
      if (await isThere(run, entry, path)) return false
    }
  }
  return false
}

/** Its own path first. */
function* placesFor(path: string, device: string): Generator<string> {
  yield path
  const [folder, ...inside] = path.split('/')
  const from = `from ${device.replaceAll(/[^\p{L}\p{N} _-]/gu, '-').trim()}`
  for (let count = 1; ; count += 1)
    yield [folder, count === 1 ? from : `${from} ${count}`, ...inside].join('/')
}

async function write({ from, to, options }: Run, entry: ListedEntry, path: string): Promise<void> {
  if (entry.kind === 'folder') return to.files.makeFolder(path)
  const { created, tags, description } = await from.info(entry.path)
  const { bytes, size, mode, modified, type, target } = await from.get(entry.path, options)
  await to.files.put(path, bytes, {
    size,
    mode,
    modified,
    type,
    tags,
    description,
    link: target,
    created: Date.parse(created),
    replaces: 'none',
    signal: options.signal,
  })
}

function isTaken(thrown: unknown): boolean {
  return (['PRECONDITION_FAILED', 'ALREADY_EXISTS', 'IS_FOLDER'] as const).some((code) =>
    isCode(thrown, code),
  )
}

async function isThere({ from, to, options }: Run, entry: ListedEntry, path: string): Promise<boolean> {
  try {
    const there = await to.files.get(path, options)
    return entry.kind !== 'folder' && (await isSameContent(await from.get(entry.path, options), there))
  } catch (thrown) {
    if (isCode(thrown, 'IS_FOLDER')) return entry.kind === 'folder'
    // Something above it is a file, or no device that holds it can be reached.
    if (isCode(thrown, 'NOT_FOUND') || isCode(thrown, 'CHUNK_UNAVAILABLE')) return false
    throw thrown
  }
}

/** Reading alone, from this disk alone. */
function readingParts(
  parts: Omit<CoreParts, 'keys'>,
  store: Store,
  catalogue: FilesParts['catalogue'],
): FilesParts {
  const get = (id: ChunkId): Promise<VerifiedBytes> => localChunk(store, parts.codec, id)
  const uploads = new UploadBook(() => store.own, parts.clock, parts.random)
  return {
    ...parts,
    store,
    catalogue,
    write: (versions) => catalogue.write(versions),
    quotas: new FolderQuotas({ store, catalogue, uploads }),
    pool: {
      get,
      getAll: async function* (ids) {
        for await (const id of ids) yield { id, bytes: await get(id) }
      },
      replicate: () => undefined,
      durable: () => Promise.resolve(1),
      unproved: () => Promise.resolve([]),
      want: () => 1,
      countedPeers: () => [catalogue.peer],
      verifiedAt: () => Promise.resolve(undefined),
      mending: () => undefined,
      scheme: () => undefined,
      asked: () => 1,
    },
    budget: { take: () => Promise.resolve(() => undefined) },
    thumbnails: new Thumbnails(undefined),
    uploads,
    smallFiles: new SmallFiles(),
    manifestNodes: new ManifestNodes(),
    unfinished: {
      isUsed: () => false,
      begin: () => ({
        use: () => undefined,
        passed: () => Promise.resolve(),
        kept: () => undefined,
        failed: () => Promise.resolve(),
      }),
    },
    require: () => undefined,
    room: () => Promise.resolve({ limit: 0, contributed: 0, disk: 0, storage: '' }),
    presence: () => ({ online: false, lastSeen: undefined, zone: undefined, hasRoom: false }),
    paused: () => [],
    alarm: () => undefined,
  }
}

async function localChunk(store: Store, codec: Codec, id: ChunkId): Promise<VerifiedBytes> {
  for await (const { bytes } of store.chunks.get([id])) return codec.verify(id, bytes, 'this device')
  throw fail('CHUNK_UNAVAILABLE', { id, count: 0 })
}
