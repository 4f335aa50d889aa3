/** contract.md `gc`. */
import type { CallOptions } from '../base/words.ts'
import type { Core } from './create-core.ts'
import type { CollectAnswer, Peer } from './peer.ts'

export async function collect(
  { collection, store }: Core,
  { dryRun, confirm }: Parameters<Peer['collect']>[0] = {},
  { signal = new AbortController().signal }: CallOptions = {},
): Promise<CollectAnswer> {
  const { held, ...answer } = await collection.now({ dry: dryRun, confirm }, signal)
  const asked = held.map(({ id, reason, chunks, bytes }) => ({ id, reason, chunks, bytes }))
  return { ...answer, held: asked, quarantined: store.read.looseChunks() }
}
