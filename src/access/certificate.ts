/**
 * Certificates: a device asks with its keys, the issuer's record answers. A request names pool and
 * issuer and is signed by every key it names, so nobody can be certified against his will, by
 * another than he asked, or with another's PeerId.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { DeviceId, PeerId, PoolId, UserId } from '../base/words.ts'
import type { AgreementKey } from '../codec/agree.ts'
import { decode, encode } from '../codec/cbor-schema.ts'
import { deviceIdOf, isSigned, type SigningKey } from '../codec/sign.ts'
import { peerIdOf } from './peer-id.ts'
import {
  certificateBody,
  requestBody,
  type CertificateBody,
  type RequestBody,
  type SignedRequest,
} from './record-bodies.ts'
import type { DeviceKind } from './verdict.ts'

/** The keys of one device in one pool; a recovery key has no `peer`. */
export interface DeviceSecrets {
  record: SigningKey
  encryption: AgreementKey
  /** The home's libp2p key. */
  peer?: SigningKey | undefined
}

/** What a certificate says of its device. */
export interface Certified {
  device: DeviceId
  kind: DeviceKind
  issuer: DeviceId
  peer: PeerId | undefined
  recordKey: Uint8Array
  encryptionKey: Uint8Array
}

/** A certificate as parsed and checked; who may issue it, the verdict decides. */
export interface Certificate extends Certified {
  /** Absent: begins a user. */
  user: UserId | undefined
  recovery: Certified | undefined
}

/** Signs a request with every key it names. */
export function makeRequest(
  pool: PoolId,
  issuer: DeviceId,
  kind: DeviceKind,
  secrets: DeviceSecrets,
): SignedRequest {
  const request = encode(requestBody, {
    pool,
    issuer,
    kind,
    recordKey: secrets.record.publicKey,
    encryptionKey: secrets.encryption.publicKey,
    ...(secrets.peer && { peer: secrets.peer.publicKey }),
  })
  const signature = secrets.record.sign('request', pool, request)
  const peerSignature = secrets.peer?.sign('request', pool, request)
  return { request, signature, ...(peerSignature && { peerSignature }) }
}

/** Checks a request's form and signatures; `BAD_INPUT` otherwise. */
export function readRequest(pool: PoolId, signed: SignedRequest): Certified {
  const request = decode(requestBody, signed.request, 'a request', limits.recordHead)
  const refuse = (reason: string): Error => fail('BAD_INPUT', { what: 'a request', reason })
  if (request.pool !== pool) throw refuse('it is for another pool')
  if (!isSigned(request.recordKey, signed.signature, 'request', pool, signed.request))
    throw refuse('its record key has not signed it')
  if ((request.kind === 'recovery') !== (request.peer === undefined))
    throw refuse('devices have a PeerId, recovery keys have none')
  if (!isSignedByPeer(pool, request, signed)) throw refuse('its libp2p key has not signed it')
  return certified(request)
}

export function encodeCertificate(body: CertificateBody): Buffer {
  return encode(certificateBody, body)
}

/** Reads the body of a certificate that `author` wrote; `BAD_INPUT` when anything in it does not hold. */
export function readCertificate(pool: PoolId, author: DeviceId, bytes: Uint8Array): Certificate {
  const body = decode(certificateBody, bytes, 'a certificate', limits.recordBody)
  const refuse = (reason: string): Error => fail('BAD_INPUT', { what: 'a certificate', reason })
  const subject = readRequest(pool, body.request)
  if (subject.issuer !== author) throw refuse('its device asked another issuer')
  const recovery = body.recovery && readRequest(pool, body.recovery)
  if (recovery !== undefined && (recovery.kind !== 'recovery' || recovery.issuer !== author))
    throw refuse('its recovery key is none')
  if (recovery !== undefined && body.user !== undefined)
    throw refuse('only the first certificate of a user names a recovery key')
  return { ...subject, user: body.user, recovery }
}

function certified(request: RequestBody): Certified {
  return {
    device: deviceIdOf(request.recordKey),
    kind: request.kind,
    issuer: request.issuer,
    peer: request.peer && peerIdOf(request.peer),
    recordKey: Buffer.from(request.recordKey),
    encryptionKey: Buffer.from(request.encryptionKey),
  }
}

function isSignedByPeer(pool: PoolId, request: RequestBody, signed: SignedRequest): boolean {
  if (request.peer === undefined) return signed.peerSignature === undefined
  return (
    signed.peerSignature !== undefined &&
    isSigned(request.peer, signed.peerSignature, 'request', pool, signed.request)
  )
}
