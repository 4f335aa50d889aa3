/** X25519: a secret that two devices share, for wrapped keys. Raw 32-byte keys, as in sign.ts. */
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { fail } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { key32 } from './hash.ts'

export interface AgreementKey {
  /** 32 bytes. */
  readonly seed: Uint8Array
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** The 32 bytes shared with another's public key; `BAD_INPUT` when they would all be zero. */
  shared(publicKey: Uint8Array): Buffer
}

/** A new key from 32 random bytes. */
export function newAgreementKey(random: Random): AgreementKey {
  return agreementKey(random.bytes(32))
}

/** The key of a seed of 32 bytes. */
export function agreementKey(seed: Uint8Array): AgreementKey {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8, key32(seed)]), format: 'der', type: 'pkcs8' })
  const publicKey = Buffer.from(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32))
  return {
    seed,
    publicKey,
    shared: (other) => agree(key, other),
  }
}

/** A key whose private half is sealed. */
export function lockedAgreementKey(publicKey: Uint8Array): AgreementKey {
  return {
    seed: Buffer.alloc(0),
    publicKey,
    shared: () => {
      throw fail('PEER_LOCKED')
    },
  }
}

/** RFC 8410 wraps raw keys in fixed bytes. */
const pkcs8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
const spki = Buffer.from('302a300506032b656e032100', 'hex')

/** A public key of small order would give a secret everybody knows: all zero. OpenSSL refuses it too. */
function agree(privateKey: ReturnType<typeof createPrivateKey>, other: Uint8Array): Buffer {
  let shared: Buffer
  try {
    const der = Buffer.concat([spki, key32(other)])
    const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' })
    shared = diffieHellman({ privateKey, publicKey })
  } catch (thrown) {
    throw refused(thrown)
  }
  if (shared.every((byte) => byte === 0)) throw refused()
  return shared
}

function refused(cause?: unknown): Error {
  return fail('BAD_INPUT', { what: 'an encryption key', reason: 'it gives no shared secret' }, cause)
}
