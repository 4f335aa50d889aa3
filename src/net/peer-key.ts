/** The home's libp2p key: an Ed25519 seed, and the PeerId that follows from it. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'
import { fail } from '../base/errors.ts'
import type { PeerId } from '../base/words.ts'

/** PKCS #8 of an Ed25519 key up to its 32-byte seed (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The PeerId of a 32-byte seed. */
export function peerIdOf(seed: Uint8Array): PeerId {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return peerIdFromPublicKey(publicKeyFromRaw(spki.subarray(-32))).toString() as PeerId
}

/** Parses outside text as a PeerId of an Ed25519 key or fails with `BAD_ID`. */
export function parsePeerId(text: string): PeerId {
  try {
    const id = peerIdFromString(text.slice(0, 100))
    if (id.type !== 'Ed25519') throw new Error('not an Ed25519 key')
    return id.toString() as PeerId
  } catch (error) {
    throw fail('BAD_ID', { what: 'peer', value: text.slice(0, 80) }, error)
  }
}
