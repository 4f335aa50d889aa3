/**
 * Takes the files of a pool that this home has left into its new one. The old pool's segments stay
 * as they are; they are read through an index in memory, opened with the old keys, and every file is
 * written to the new pool like any upload. Files that are there already are left alone, so that an
 * interrupted run goes on.
 */
import { openCatalogue } from '../access/open-catalogue.ts'
import type { PoolKeys } from '../access/device-keys.ts'
import { fail } from '../base/errors.ts'
import type { CallOptions, ChunkId } from '../base/words.ts'
import type { Codec, VerifiedBytes } from '../codec/codec.ts'
import type { FilesParts } from '../files/files-parts.ts'
import type { ListedEntry } from '../files/files.ts'
import { openFiles } from '../files/open-files.ts'
import { checkPath } from '../files/paths.ts'
import { categoryOf } from '../files/mime.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import type { Core, CoreParts } from './create-core.ts'

/** Reads everything that `oldKeys` open in the storage folder and puts it into `core`. */
export async function bringFiles(
  parts: Omit<CoreParts, 'keys'>,
  oldKeys: PoolKeys,
  core: Core,
  options: CallOptions = {},
): Promise<number> {
  const store = await openStore({
    ...parts,
    folder: parts.storage,
    database: ':memory:',
    pool: oldKeys.pool,
    peer: parts.network.peer,
    contributed: 0,
    threaded: false,
  })
  try {
    const keys = { ...oldKeys, genesis: [] }
    const catalogue = await openCatalogue({ ...parts, keys, store, naming: { checkPath, categoryOf } })
    const files = openFiles(readingParts(parts, store, catalogue))
    let brought = 0
    for (const { name } of catalogue.folders())
      if (name !== undefined) brought += await bringFolder(files, core, name, options)
    await catalogue.close()
    return brought
  } finally {
    await store.close()
  }
}

type Source = Pick<ReturnType<typeof openFiles>, 'list' | 'get'>

async function bringFolder(from: Source, core: Core, folder: string, options: CallOptions): Promise<number> {
  if (core.catalogue.folderNamed(folder) === undefined) await core.catalogue.createFolder(folder)
  let brought = 0
  let cursor: string | undefined
  do {
    const page = await from.list(folder, { recursive: true, cursor })
    for (const entry of page.entries) brought += await bringOne(from, core, entry, options)
    cursor = page.next
  } while (cursor !== undefined)
  return brought
}

async function bringOne(
  from: Source,
  core: Core,
  entry: ListedEntry,
  { signal }: CallOptions,
): Promise<number> {
  if (core.files.has(entry.path)) return 0
  if (entry.kind === 'folder') {
    await core.files.makeFolder(entry.path)
    return 0
  }
  const { bytes, size, mode, modified, type, target } = await from.get(entry.path, { signal })
  await core.files.put(entry.path, bytes, { size, mode, modified, type, link: target, signal })
  return 1
}

/** Reading alone, from this disk alone. */
function readingParts(
  parts: Omit<CoreParts, 'keys'>,
  store: Store,
  catalogue: FilesParts['catalogue'],
): FilesParts {
  const get = (id: ChunkId): Promise<VerifiedBytes> => localChunk(store, parts.codec, id)
  return {
    ...parts,
    store,
    catalogue,
    pool: {
      get,
      getAll: async function* (ids) {
        for await (const id of ids) yield { id, bytes: await get(id) }
      },
      replicate: () => undefined,
      durable: () => Promise.resolve(1),
      want: () => 1,
      countedPeers: () => [catalogue.peer],
    },
    budget: { take: () => Promise.resolve(() => undefined) },
    require: () => undefined,
    room: () => Promise.resolve({ limit: 0, contributed: 0, disk: 0, storage: '' }),
    presence: () => ({ online: false, lastSeen: undefined, zone: undefined, hasRoom: false }),
    alarm: () => undefined,
  }
}

async function localChunk(store: Store, codec: Codec, id: ChunkId): Promise<VerifiedBytes> {
  for await (const { bytes } of store.chunks.get([id])) return codec.verify(id, bytes, 'this device')
  throw fail('CHUNK_UNAVAILABLE', { id, count: 0 })
}
