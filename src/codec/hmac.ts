/** HMAC-SHA256, where a protocol asks for it; what PeerStor makes itself is keyed BLAKE3 (hash.ts). */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** 32 bytes. */
export function hmacSha256(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** Whether `hex` is the HMAC of `text`, without telling by its time how much of it was right. */
export function acceptsHmac(key: Uint8Array, text: string, hex: string): boolean {
  const expected = hmacSha256(key, text)
  const given = Buffer.from(hex, 'hex')
  return hex.length === 64 && given.length === expected.length && timingSafeEqual(given, expected)
}
