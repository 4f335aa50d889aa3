/**
 * A home whose keys have a lock keeps no index of what they opened while it is locked or nothing runs: names and
 * keys of chunks. The index is made again from the segments; who the others are and where, is kept aside.
 */
import type { PoolKeys } from '../access/device-keys.ts'
import type { DeviceId, PeerId } from '../base/words.ts'
import { removeIndex } from '../store/remove-index.ts'
import type { IndexWrite, Store } from '../store/store.ts'

/** JSON, statements in base64. */
interface Others {
  statements: { device: DeviceId; bytes: string }[]
  seen: { peer: PeerId; at: number; addresses: string[] }[]
}

const row = ['work', 'others'] as const

/** Opens a store for a locked device: what an unlocked run left in the index is not for it. */
export async function openForgetful(open: () => Promise<Store>, database: string): Promise<Store> {
  const store = await open()
  if (!store.read.hasOpened()) return store
  await closeForgetting(store, () => store.close(), database)
  return open()
}

/** Ends a store and its index. */
export async function closeForgetting(
  store: Store,
  close: () => Promise<void>,
  database: string,
): Promise<void> {
  const statements = store.read
    .statements()
    .map(({ device, bytes }) => ({ device, bytes: Buffer.from(bytes).toString('base64') }))
  const seen = store.read.seen().map(({ peer, at, addresses }) => ({ peer, at, addresses: [...addresses] }))
  await store.own.put(...row, { statements, seen } satisfies Others)
  await close()
  await removeIndex(database)
}

/** Closes a peer's store as its keys want it. */
export async function closeCore(
  core: { store: Store; stop(): Promise<void> } | undefined,
  keys: PoolKeys | undefined,
  database: string,
): Promise<void> {
  if (core === undefined || keys?.lock === undefined) await core?.stop()
  else await closeForgetting(core.store, () => core.stop(), database)
}

/** What was kept aside is known again. */
export async function recallOthers(store: Store): Promise<void> {
  const others = store.own.get<Others>(...row)
  if (others === undefined) return
  const statements = others.statements.map(({ device, bytes }): IndexWrite => ({
    op: 'statement',
    device,
    bytes: Buffer.from(bytes, 'base64'),
  }))
  const seen = others.seen.map((one): IndexWrite => ({ op: 'seen', ...one }))
  await store.index([...statements, ...seen])
  await store.own.remove(...row)
}
