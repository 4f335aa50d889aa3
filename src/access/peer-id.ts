/** PeerIds as libp2p writes them for Ed25519 keys: base58 of an identity multihash of the public key. */
import { fail } from '../base/errors.ts'
import type { PeerId } from '../base/words.ts'
import { fromBase58, toBase58 } from './base58.ts'

/** Identity multihash of 36 bytes: protobuf of key type Ed25519 and 32 bytes of key. */
const prefix = Buffer.from('002408011220', 'hex')

/** The PeerId of a libp2p public key, 32 bytes. */
export function peerIdOf(publicKey: Uint8Array): PeerId {
  return toBase58(Buffer.concat([prefix, publicKey])) as PeerId
}

/** The public key in a PeerId, 32 bytes; `BAD_ID` when it is not of an Ed25519 key. */
export function peerKeyOf(peer: string): Buffer {
  const bytes = peer.length <= 64 ? fromBase58(peer) : undefined
  if (bytes?.length !== prefix.length + 32 || !bytes.subarray(0, prefix.length).equals(prefix))
    throw fail('BAD_ID', { what: 'peer id', value: peer.slice(0, 80) })
  return bytes.subarray(prefix.length)
}
