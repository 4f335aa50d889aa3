/** PeerIds as libp2p writes them for Ed25519 keys: base58 of an identity multihash of the public key. */
import { fail } from '../base/errors.ts'
import type { PeerId } from '../base/words.ts'

/** Identity multihash, 36 bytes: protobuf of key type Ed25519 and 32 bytes of key. */
const prefix = Buffer.from('002408011220', 'hex')
const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

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

function toBase58(bytes: Uint8Array): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let text = ''
  for (; value > 0n; value /= 58n) text = alphabet[Number(value % 58n)]! + text
  const zeros = bytes.findIndex((byte) => byte !== 0)
  return '1'.repeat(Math.max(zeros, 0)) + text
}

function fromBase58(text: string): Buffer | undefined {
  let value = 0n
  for (const letter of text) {
    const digit = alphabet.indexOf(letter)
    if (digit < 0) return undefined
    value = value * 58n + BigInt(digit)
  }
  const hex = value === 0n ? '' : value.toString(16)
  const zeros = text.length - text.replace(/^1+/, '').length
  return Buffer.concat([Buffer.alloc(zeros), Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')])
}
