/**
 * Signature version 4 of S3 requests, in the Authorization header or in the address (presigned). The
 * secret stays in `access/`; here the text that was signed is put together again. Headers that mean
 * something to S3 must be signed, or somebody between could add them.
 */
import type { IncomingMessage } from 'node:http'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { S3Signer } from '../peer/peer.ts'
import { sha256Hex } from './digest.ts'
import type { Face } from './route.ts'
import { encodePath, encodeStrictly, queryValue, type S3Address } from './s3-address.ts'
import { clientAddress, hostOf } from './web-rules.ts'

/** A request whose signature was right. */
export interface SignedRequest {
  signer: S3Signer
  /** The declared payload: a SHA-256 in hex, or one of the words of the specification. */
  payload: string
  /** What signatures of the body's chunks go on from. */
  seed: { signature: string; time: string; scope: string }
}

/** What a request says of its own signature. */
interface Claim {
  accessKeyId: string
  day: string
  region: string
  signedHeaders: string[]
  signature: string
  /** `YYYYMMDDTHHMMSSZ`. */
  time: string
  payload: string
  /** Milliseconds that a presigned address lives; undefined for a header. */
  lifeMs?: number
}

const algorithm = 'AWS4-HMAC-SHA256'
const unsigned = 'UNSIGNED-PAYLOAD'

/** Whether a request shows a signature of S3, right or wrong; the old version 2 is told so. */
export function showsSignature(request: IncomingMessage): boolean {
  if (/^AWS(?:4-| )/.test(request.headers.authorization ?? '')) return true
  return /[?&](?:X-Amz-Algorithm|AWSAccessKeyId)=/.test(request.url ?? '')
}

/** Checks key, time and signature; `ACCESS_KEY_UNKNOWN`, `CLOCK_SKEWED`, `SIGNATURE_…`, `BAD_INPUT`. */
export function checkSignature(face: Face, request: IncomingMessage, address: S3Address): SignedRequest {
  const claim = claimOf(request, address)
  checkTime(face, claim)
  const { accessKeyId, day, region, time, signature } = claim
  const signer = face.peer.tokens.ofS3Key(accessKeyId, { day, region })
  if (signer === undefined) {
    face.signIns.failed(clientAddress(face, request))
    throw fail('ACCESS_KEY_UNKNOWN', { key: accessKeyId })
  }
  requireSigned(request, claim)
  const scope = `${day}/${region}/s3/aws4_request`
  const text = [algorithm, time, scope, sha256Hex(canonicalRequest(face, request, address, claim))].join('\n')
  if (!signer.accepts(text, signature)) {
    face.signIns.failed(clientAddress(face, request))
    throw fail('SIGNATURE_REFUSED')
  }
  return { signer, payload: claim.payload, seed: { signature, time, scope } }
}

function claimOf(request: IncomingMessage, address: S3Address): Claim {
  const header = request.headers.authorization
  const isOld = header?.startsWith('AWS ') === true || queryValue(address, 'AWSAccessKeyId') !== undefined
  if (isOld) throw fail('UNSUPPORTED', { what: 'signature version 2' })
  const inAddress = queryValue(address, 'X-Amz-Algorithm')
  if (header !== undefined && inAddress !== undefined) throw malformed('it stands in header and address')
  if (header !== undefined) return headerClaim(header, request)
  if (inAddress !== undefined) return addressClaim(inAddress, request, address)
  throw fail('NOT_SIGNED_IN')
}

function headerClaim(header: string, request: IncomingMessage): Claim {
  const [, found, rest = ''] = /^(\S+)\s+(.*)$/.exec(header) ?? []
  if (found !== algorithm) throw malformed(`only ${algorithm} is taken`)
  const fields = new Map(rest.split(',').map((part) => pairOf(part.trim())))
  return {
    ...credentialOf(fields.get('Credential')),
    signedHeaders: (fields.get('SignedHeaders') ?? '').split(';'),
    signature: signatureOf(fields.get('Signature')),
    time: timeOf(request),
    payload: textHeader(request, 'x-amz-content-sha256') ?? bodylessPayload(request),
  }
}

function addressClaim(found: string, request: IncomingMessage, address: S3Address): Claim {
  if (found !== algorithm) throw malformed(`only ${algorithm} is taken`)
  const value = (name: string): string | undefined => queryValue(address, `X-Amz-${name}`)
  const seconds = Number(value('Expires') ?? Number.NaN)
  if (!Number.isSafeInteger(seconds) || seconds < 1 || seconds * 1000 > limits.s3AddressLifeMs)
    throw malformed('X-Amz-Expires must be between 1 second and 7 days')
  const signedHeaders = (value('SignedHeaders') ?? '').split(';')
  const inHeader = signedHeaders.includes('x-amz-content-sha256')
    ? textHeader(request, 'x-amz-content-sha256')
    : undefined
  return {
    ...credentialOf(value('Credential')),
    signedHeaders,
    signature: signatureOf(value('Signature')),
    time: checkedTime(value('Date') ?? ''),
    payload: inHeader ?? value('Content-Sha256') ?? unsigned,
    lifeMs: seconds * 1000,
  }
}

function credentialOf(text: string | undefined): Pick<Claim, 'accessKeyId' | 'day' | 'region'> {
  const parts = /^([\w-]{1,128})\/(\d{8})\/([\w-]{1,64})\/s3\/aws4_request$/.exec(text ?? '')
  const [, accessKeyId, day, region] = parts ?? []
  if (accessKeyId === undefined || day === undefined || region === undefined)
    throw malformed('its Credential must be KEY/DAY/REGION/s3/aws4_request')
  return { accessKeyId, day, region }
}

function signatureOf(text: string | undefined): string {
  if (!/^[0-9a-f]{64}$/.test(text ?? '')) throw malformed('its Signature is no 64 hex digits')
  return text as string
}

/** `X-Amz-Date`, or the plain Date header in the same form. */
function timeOf(request: IncomingMessage): string {
  const own = textHeader(request, 'x-amz-date')
  if (own !== undefined) return checkedTime(own)
  const plain = Date.parse(request.headers.date ?? '')
  if (Number.isNaN(plain)) throw malformed('it has no X-Amz-Date')
  return new Date(plain).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

function checkedTime(text: string): string {
  if (!/^\d{8}T\d{6}Z$/.test(text) || Number.isNaN(msOf(text)))
    throw malformed('its date is not of the form YYYYMMDDTHHMMSSZ')
  return text
}

const msOf = (time: string): number =>
  Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))

function checkTime(face: Face, { time, day, lifeMs }: Claim): void {
  if (!time.startsWith(day)) throw malformed('its date is not the day of its Credential')
  const signed = msOf(time)
  const now = face.clock.now()
  const shown = (ms: number): string => new Date(ms).toISOString()
  const tooOld = lifeMs === undefined && now - signed > limits.s3SkewMs
  if (tooOld || signed - now > limits.s3SkewMs)
    throw fail('CLOCK_SKEWED', {
      signed: shown(signed),
      minutes: limits.s3SkewMs / 60_000,
      now: shown(now),
    })
  if (lifeMs !== undefined && now >= signed + lifeMs)
    throw fail('SIGNATURE_EXPIRED', { expired: shown(signed + lifeMs) })
}

/** Old clients leave the hash out where there is no body. */
function bodylessPayload(request: IncomingMessage): string {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
  if (length !== '0' || encoding !== undefined) throw malformed('X-Amz-Content-Sha256 is missing')
  return sha256Hex('')
}

function requireSigned(request: IncomingMessage, { signedHeaders }: Claim): void {
  const wanted = Object.keys(request.headers).filter(
    (name) => name.startsWith('x-amz-') && name !== 'x-amz-content-sha256',
  )
  const lacking = ['host', ...wanted].filter((name) => !signedHeaders.includes(name))
  if (lacking.length > 0) throw malformed(`it does not cover ${lacking.slice(0, 5).join(', ')}`)
}

function canonicalRequest(face: Face, request: IncomingMessage, address: S3Address, claim: Claim): string {
  const value = (name: string): string =>
    name === 'host'
      ? (hostOf(face, request) ?? '')
      : (request.headersDistinct[name] ?? []).map((part) => part.trim().replaceAll(/ +/g, ' ')).join(',')
  return [
    request.method ?? '',
    encodePath(address.path),
    canonicalQuery(address),
    ...claim.signedHeaders.map((name) => `${name}:${value(name)}`),
    '',
    claim.signedHeaders.join(';'),
    claim.payload,
  ].join('\n')
}

function canonicalQuery({ query }: S3Address): string {
  const pairs = query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encodeStrictly(name), encodeStrictly(value)] as const)
  const byBytes = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)
  return pairs
    .sort((a, b) => byBytes(a[0], b[0]) || byBytes(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1)]
}

function textHeader(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

const malformed = (reason: string): Error => fail('BAD_INPUT', { what: 'the signature', reason })
