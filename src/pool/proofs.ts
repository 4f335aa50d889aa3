/** Proofs of possession: `keyed(nonce, sealed chunk)`, which only who has the bytes now can compute. */
import type { CallOptions, ChunkId } from '../base/words.ts'
import { hashHex, keyed } from '../codec/hash.ts'
import type { PoolStore } from './pool.ts'

interface ProofOptions extends CallOptions {
  /** A chunk on this disk does not match its id. */
  onDamage?: ((id: ChunkId) => void) | undefined
}

/**
 * The proofs of chunks on this disk, read and verified now. One that is not here, or is damaged, has none: only
 * who has verified the bytes answers for them, or measures others by them.
 */
export async function proofsOf(
  { chunks }: Pick<PoolStore, 'chunks'>,
  nonce: Uint8Array,
  ids: readonly ChunkId[],
  { signal, onDamage }: ProofOptions = {},
): Promise<Map<ChunkId, Uint8Array>> {
  const proofs = new Map<ChunkId, Uint8Array>()
  for await (const { id, bytes } of chunks.get(ids, { signal }))
    if (hashHex(bytes) === id) proofs.set(id, keyed(nonce, bytes))
    else onDamage?.(id)
  return proofs
}
