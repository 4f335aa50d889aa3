/**
 * Ed25519 signatures. Every one is over `"peerstor/1/<purpose>\0" ‖ pool id ‖ bytes`; the pool's
 * first record, which makes the id, is signed over 32 zero bytes in its place. Keys are 32 bytes
 * in and out: the private one is the seed, made from the injected randomness.
 */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { fail } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { idBytes, type DeviceId, type PoolId } from '../base/words.ts'
import { derive, hashHex, key32 } from './hash.ts'

/** What a signature is for; one can never pass as another. */
export type Purpose =
  /** A batch of records: the last head's hash. */
  | 'batch'
  /** A device's request for a certificate, by its record key. */
  | 'request'
  /** A device's changing state. */
  | 'statement'
  /** Whatever a room above adds; lower-case words with dashes. */
  | (string & {})

export interface SigningKey {
  /** 32 bytes. */
  readonly seed: Uint8Array
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes over `parts` one after the other; `pool` undefined: 32 zero bytes. */
  sign(purpose: Purpose, pool: PoolId | undefined, ...parts: readonly Uint8Array[]): Buffer
}

/** A new key from 32 random bytes. */
export function newSigningKey(random: Random): SigningKey {
  return signingKey(random.bytes(32))
}

/** The key of a seed of 32 bytes. */
export function signingKey(seed: Uint8Array): SigningKey {
  const key = privateKey(seed)
  return {
    seed,
    publicKey: rawPublicKey(key),
    sign: (purpose, pool, ...parts) => sign(null, signedBytes(purpose, pool, parts), key),
  }
}

/** A key whose private half is sealed: whoever asks it to sign is refused with `PEER_LOCKED`. */
export function lockedSigningKey(publicKey: Uint8Array): SigningKey {
  return {
    seed: Buffer.alloc(0),
    publicKey,
    sign: () => {
      throw fail('PEER_LOCKED')
    },
  }
}

/** Whether `signature` by the raw public key covers exactly these bytes; false for anything malformed. */
export function isSigned(
  publicKey: Uint8Array,
  signature: Uint8Array,
  purpose: Purpose,
  pool: PoolId | undefined,
  ...parts: readonly Uint8Array[]
): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  try {
    return verify(null, signedBytes(purpose, pool, parts), publicKeyOf(publicKey), signature)
  } catch {
    return false
  }
}

/** A device's id: of its record key. */
export function deviceIdOf(recordKey: Uint8Array): DeviceId {
  return derive('peerstor/1 device', key32(recordKey)).toString('hex') as DeviceId
}

function signedBytes(purpose: Purpose, pool: PoolId | undefined, parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    Buffer.from(`peerstor/1/${purpose}\0`),
    pool === undefined ? Buffer.alloc(32) : idBytes(pool),
    ...parts,
  ])
}

/** RFC 8410 wraps raw keys in fixed bytes. */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const spki = Buffer.from('302a300506032b6570032100', 'hex')

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8, key32(seed)]), format: 'der', type: 'pkcs8' })
}

function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(spki.length))
}

/** The few devices of a pool sign again and again: their parsed keys are kept. */
const parsedKeys = new Map<string, KeyObject>()
const parsedKeysMax = 1024

function publicKeyOf(raw: Uint8Array): KeyObject {
  const name = hashHex(raw)
  const known = parsedKeys.get(name)
  if (known !== undefined) return known
  const key = createPublicKey({ key: Buffer.concat([spki, raw]), format: 'der', type: 'spki' })
  if (parsedKeys.size >= parsedKeysMax) parsedKeys.clear()
  parsedKeys.set(name, key)
  return key
}
