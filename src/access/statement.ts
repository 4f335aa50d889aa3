/**
 * A device's changing state: one statement signed outside its chain; the later replaces the earlier,
 * tie by hash. Everything in it is the device's own word about itself.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { idBytes, type DeviceId, type PoolId } from '../base/words.ts'
import {
  boolean,
  bytes,
  decode,
  encode,
  field,
  fields,
  id,
  list,
  optional,
  text,
  uint,
} from '../codec/cbor-schema.ts'
import { derive, hash, hashHex } from '../codec/hash.ts'
import { hlcSchema } from '../codec/record-bytes.ts'
import { compareTimes, type Hlc } from '../codec/record.ts'
import { isSigned, type SigningKey } from '../codec/sign.ts'
import type { DeviceState } from './catalogue.ts'

const statementBody = fields({
  device: field(0, id<DeviceId>()),
  time: field(1, hlcSchema),
  contributed: field(2, uint()),
  used: field(3, uint()),
  zone: optional(4, bytes(8)),
  full: field(5, boolean),
  retiring: field(6, boolean),
  client: field(7, boolean),
  addresses: field(8, list(text(limits.addressBytes), limits.peerAddresses)),
  version: field(9, text(64)),
})

/** What the signature and the map around the body leave of a statement. */
const bodyBytes = limits.statementBytes - 128

const signedStatement = fields({
  body: field(0, bytes(1, bodyBytes)),
  signature: field(1, bytes(64)),
})

export interface Statement {
  device: DeviceId
  time: Hlc
  state: DeviceState
  hash: string
}

interface Signer {
  pool: PoolId
  device: DeviceId
  key: SigningKey
  time: Hlc
}

/** Signs a state with its first `limits.peerAddresses` addresses, fewer when they are too long. */
export function makeStatement(state: DeviceState, own: Signer): Buffer {
  const addresses = state.addresses.slice(0, limits.peerAddresses)
  while (addresses.length > 0 && encodeBody({ ...state, addresses }, own).length > bodyBytes) addresses.pop()
  const body = encodeBody({ ...state, addresses }, own)
  return encode(signedStatement, { body, signature: own.key.sign('statement', own.pool, body) })
}

function encodeBody({ zone, ...rest }: DeviceState, { device, time }: Signer): Buffer {
  return encode(statementBody, {
    ...rest,
    device,
    time,
    ...(zone !== undefined && { zone: Buffer.from(zone, 'hex') }),
  })
}

/**
 * Reads a statement and checks its signature; `BAD_INPUT`, or `RECORD_INVALID` naming the device.
 * Undefined when it is not later than the one `known`: most that come were heard from others before,
 * and are worth no check.
 */
export function readStatement(
  statement: Uint8Array,
  pool: PoolId,
  recordKeyOf: (device: DeviceId) => Uint8Array | undefined,
  known: (device: DeviceId) => Statement | undefined = () => undefined,
): Statement | undefined {
  const signed = decode(signedStatement, statement, 'a statement', limits.statementBytes)
  const { device, time, zone, ...rest } = decode(statementBody, signed.body, 'a statement', bodyBytes)
  const own = hashHex(signed.body)
  const before = known(device)
  if (before !== undefined && compareTimes({ time, hash: own }, before) <= 0) return undefined
  const key = recordKeyOf(device)
  if (key === undefined || !isSigned(key, signed.signature, 'statement', pool, signed.body))
    throw fail('RECORD_INVALID', { device, reason: 'its statement is not signed by it' })
  const state = { ...rest, ...(zone && { zone: Buffer.from(zone).toString('hex') }) }
  return { device, time, state, hash: own }
}

/** First 8 bytes, hex: equal zones of one pool are equal; the name can be guessed, and SECURITY.md says so. */
export function zoneTag(pool: PoolId, zone: string): string {
  const tag = derive('peerstor/1 zone', idBytes(pool), hash(Buffer.from(zone.normalize('NFC'))))
  return tag.subarray(0, 8).toString('hex')
}
