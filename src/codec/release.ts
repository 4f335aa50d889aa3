/**
 * A release: a member tells a holder which chunks a folder needs no more (docs/FORMAT.md). Signed by the member's
 * record key; what it does is decided by the holder (crypto.md §5).
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId, DatabaseId, DeviceId, FolderId, PoolId } from '../base/words.ts'
import { boolean, bytes, decode, encode, field, fields, id, list, shortId, uint } from './cbor-schema.ts'
import { isSigned, type SigningKey } from './sign.ts'

export interface Release {
  holder: DeviceId
  /** The holder's index database, which numbers its changes. */
  database: DatabaseId
  /** Pins with change numbers up to this fall. */
  upTo: number
  folder: FolderId
  ids: readonly ChunkId[]
  /** The last of its kind: all of the folder's pins at this holder were compared. */
  done: boolean
}

const releaseBody = fields({
  device: field(0, id<DeviceId>()),
  holder: field(1, id<DeviceId>()),
  database: field(2, shortId<DatabaseId>()),
  upTo: field(3, uint()),
  folder: field(4, id<FolderId>()),
  ids: field(5, list(id<ChunkId>(), limits.releaseChunks)),
  done: field(6, boolean),
})
const bodyBytes = limits.releaseChunks * 34 + 256
const signedRelease = fields({
  body: field(0, bytes(1, bodyBytes)),
  signature: field(1, bytes(64)),
})

export function signRelease(
  release: Release,
  { pool, device, key }: { pool: PoolId; device: DeviceId; key: SigningKey },
): Buffer {
  const body = encode(releaseBody, { ...release, ids: [...release.ids], device })
  return encode(signedRelease, { body, signature: key.sign('release', pool, body) })
}

/** Reads a release and checks its signature; `BAD_INPUT`, or `RECORD_INVALID` naming the device. */
export function readRelease(
  release: Uint8Array,
  pool: PoolId,
  recordKeyOf: (device: DeviceId) => Uint8Array | undefined,
): Release & { device: DeviceId } {
  const signed = decode(signedRelease, release, 'a release', limits.requestBodyBytes)
  const read = decode(releaseBody, signed.body, 'a release', bodyBytes)
  const key = recordKeyOf(read.device)
  if (key === undefined || !isSigned(key, signed.signature, 'release', pool, signed.body))
    throw fail('RECORD_INVALID', { device: read.device, reason: 'its release is not signed by it' })
  return read
}
