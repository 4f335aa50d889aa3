/**
 * The bodies of every record kind this room writes (docs/FORMAT.md). Those of folders, epochs and
 * names are sealed; the others are plain. A body that does not parse is kept with its record and
 * ignored, so that a later version may write more.
 */
import { limits } from '../base/limits.ts'
import type { DeviceId, PoolId, RecordHash, UserId } from '../base/words.ts'
import {
  boolean,
  bytes,
  choice,
  field,
  fields,
  id,
  list,
  optional,
  text,
  tuple,
  uint,
  type Read,
} from '../codec/cbor-schema.ts'
import type { RecordKind } from '../codec/record.ts'
import { wrapBytes } from '../codec/seal.ts'

/** Kinds kept parsed in memory by every peer: few, and their bodies are never dropped. */
export const loadedKinds: readonly RecordKind[] = [
  'pool',
  'certificate',
  'admin',
  'revocation',
  'policy',
  'printed',
  'adopt',
  'folder',
  'epoch',
  'wrap',
  'wrapRefused',
  'name',
  'discard',
]

const publicKey = bytes(32)
const signature = bytes(64)

/** The public halves of a recovery key. */
const recoveryKeys = fields({ recordKey: field(0, publicKey), encryptionKey: field(1, publicKey) })

/** The pool's first record: the keys that the founder's certificate must name. */
export const poolBody = fields({
  format: field(0, uint(1)),
  recordKey: field(1, publicKey),
  encryptionKey: field(2, publicKey),
  peer: field(3, publicKey),
  recovery: field(4, recoveryKeys),
})

/** What a device asks for and signs. `peer`: its libp2p public key; a recovery key has none. */
export const requestBody = fields({
  pool: field(0, id<PoolId>()),
  issuer: field(1, id<DeviceId>()),
  kind: field(2, choice({ device: 1, storage: 2, recovery: 3 })),
  recordKey: field(3, publicKey),
  encryptionKey: field(4, publicKey),
  peer: optional(5, publicKey),
})
export type RequestBody = Read<typeof requestBody>

/** A request as bytes with the signatures of the keys it names. */
export const signedRequest = fields({
  request: field(0, bytes(1, 1024)),
  signature: field(1, signature),
  peerSignature: optional(2, signature),
})
export type SignedRequest = Read<typeof signedRequest>

/** `user` absent: this record begins a user; then it may name a recovery key by its own request. */
export const certificateBody = fields({
  request: field(0, signedRequest),
  user: optional(1, id<UserId>()),
  recovery: optional(2, signedRequest),
})
export type CertificateBody = Read<typeof certificateBody>

export const adminBody = fields({ user: field(0, id<UserId>()) })

/** Of a device (`device`, `certificate`) or of a user's admin acts (`user`, `grants`). */
export const revocationBody = fields({
  device: optional(0, id<DeviceId>()),
  certificate: optional(1, id<RecordHash>()),
  user: optional(2, id<UserId>()),
  grants: optional(3, list(id<RecordHash>(), limits.revocationHeads)),
  heads: field(4, list(id<RecordHash>(), limits.revocationHeads)),
})

/** `factor` in millionths. */
export const policyBody = fields({
  copies: field(0, uint(1000)),
  min: field(1, uint(1000)),
  max: field(2, uint(1000)),
  factor: field(3, uint(1_000_000)),
  keepMs: field(4, uint(limits.policyMs)),
  /** Data and parity shards. */
  erasure: optional(5, tuple<[number, number]>(uint(limits.shardsData), uint(limits.shardsParity))),
  expireMs: optional(6, uint(limits.policyMs)),
  quota: optional(7, uint()),
})

/** The recovery key whose paper its owner has confirmed. */
export const printedBody = fields({ device: field(0, id<DeviceId>()) })

export const adoptBody = fields({ versions: field(0, list(id<RecordHash>(), limits.adoptVersions)) })

/** Only what a later version replaced is given up. */
export const discardBody = fields({
  versions: field(0, list(id<RecordHash>(), limits.discardVersions)),
})

/** Sealed. */
export const folderBody = fields({
  name: field(0, text(limits.nameBytes)),
  removed: optional(1, boolean),
})

/** Sealed under the new epoch's own keys: folder secret, generation, keys of the epochs it seals. */
export const epochBody = fields({
  secret: field(0, bytes(32)),
  generation: field(1, uint(2 ** 32)),
  parents: field(2, list(bytes(32), limits.epochParents)),
})
export type EpochBody = Read<typeof epochBody>

export const wrapBody = fields({ recipient: field(0, id<DeviceId>()), wrap: field(1, bytes(wrapBytes)) })

export const wrapRefusedBody = fields({ wrap: field(0, id<RecordHash>()) })

/** Sealed under the pool directory. */
export const nameBody = fields({
  device: field(0, id<DeviceId>()),
  name: field(1, text(limits.deviceNameBytes)),
})
