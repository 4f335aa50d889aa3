/**
 * JSON that people keep and pass on, signed so that spaces and the order of keys may change: the signature
 * covers one form alone, keys sorted by their UTF-16 units, no spaces.
 */
import type { DeviceId, PoolId } from '../base/words.ts'
import { deviceIdOf, isSigned, type SigningKey } from './sign.ts'

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

export interface JsonSignature {
  device: DeviceId
  /** The device's record key, hex: its id is a hash of it. */
  key: string
  /** Ed25519, base64. */
  signature: string
}

/** The one form of a value; members that are undefined are left out. */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalJson).join()}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member as Json)}`).join()}}`
}

export function signJson(key: SigningKey, purpose: string, pool: PoolId, value: Json): JsonSignature {
  return {
    device: deviceIdOf(key.publicKey),
    key: Buffer.from(key.publicKey).toString('hex'),
    signature: key.sign(purpose, pool, Buffer.from(canonicalJson(value))).toString('base64'),
  }
}

/** Whether the device that the signature names has signed exactly this. */
export function isJsonSigned(
  { device, key, signature }: JsonSignature,
  purpose: string,
  pool: PoolId,
  value: Json,
): boolean {
  const publicKey = Buffer.from(key, 'hex')
  if (publicKey.length !== 32 || deviceIdOf(publicKey) !== device) return false
  const bytes = Buffer.from(canonicalJson(value))
  return isSigned(publicKey, Buffer.from(signature, 'base64'), purpose, pool, bytes)
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
