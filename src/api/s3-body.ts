/**
 * The bytes of an object out of a request's body, checked as they pass: against the signed hash of
 * the whole, the signed hash of each chunk, the length and the checksums that came with it. What is
 * wrong fails at its end, before anything of the object shows.
 */
import type { IncomingMessage } from 'node:http'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { bodyBytes } from './body.ts'
import { ByteReader } from './byte-reader.ts'
import { runningDigest, sha256Hex } from './digest.ts'
import type { S3Call } from './s3-call.ts'
import { type WantedChecksum, checksumOf, requireChecksums } from './s3-checksums.ts'
import type { SignedRequest } from './s3-signature.ts'

export interface ObjectBody {
  bytes: AsyncIterable<Uint8Array>
  /** Of the object itself, when the request says it. */
  size: number | undefined
}

const streaming = /^STREAMING-(AWS4-HMAC-SHA256-PAYLOAD|UNSIGNED-PAYLOAD)(-TRAILER)?$/

/** `BAD_INPUT`, `UNSUPPORTED`; the bytes fail with `SIGNATURE_REFUSED`, `DIGEST_MISMATCH` or `BAD_INPUT`. */
export function objectBody(call: S3Call): ObjectBody {
  const { request, signed } = call
  const isStreaming = streaming.test(signed.payload)
  const known = isStreaming || signed.payload === 'UNSIGNED-PAYLOAD' || /^[0-9a-f]{64}$/.test(signed.payload)
  if (!known)
    throw fail('UNSUPPORTED', { what: `a payload signed as ${JSON.stringify(signed.payload.slice(0, 60))}` })
  const size = sizeOf(request, isStreaming)
  const wanted = wantedIn(request)
  const source = isStreaming ? chunkedBytes(call, wanted, size) : wholeBytes(call)
  return { bytes: checkedBytes(source, wanted, size, call.name), size }
}

/** All of a small body, such as a list of keys; `TOO_LARGE`. */
export async function smallBody(call: S3Call, limit: number): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const piece of objectBody(call).bytes) {
    length += piece.length
    if (length > limit) throw fail('TOO_LARGE', { what: 'the body', limit })
    parts.push(piece)
  }
  return Buffer.concat(parts).toString('utf8')
}

function sizeOf(request: IncomingMessage, isStreaming: boolean): number | undefined {
  const text = isStreaming
    ? request.headers['x-amz-decoded-content-length']?.toString()
    : request.headers['content-length']
  if (text === undefined && isStreaming) throw wrong('X-Amz-Decoded-Content-Length is missing')
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text)) throw wrong('its length is no number')
  return Number(text)
}

/** What headers say the bytes come to. */
function wantedIn(request: IncomingMessage): WantedChecksum[] {
  return Object.entries(request.headers).flatMap(([name, value]) => {
    const checksum = typeof value === 'string' ? checksumOf(name) : undefined
    return checksum === undefined ? [] : [{ name, checksum, value: value as string }]
  })
}

async function* received({ face, request, response }: S3Call): AsyncGenerator<Uint8Array> {
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue()
  yield* bodyBytes(face, request)
}

/** A body that is the object. */
async function* wholeBytes(call: S3Call): AsyncGenerator<Uint8Array> {
  const { payload } = call.signed
  const hash = payload === 'UNSIGNED-PAYLOAD' ? undefined : runningDigest('sha256')
  for await (const piece of received(call)) {
    hash?.update(piece)
    yield piece
  }
  if (hash !== undefined && hash.digest('hex') !== payload) throw fail('DIGEST_MISMATCH', { path: call.name })
}

async function* checkedBytes(
  source: AsyncIterable<Uint8Array>,
  wanted: readonly WantedChecksum[],
  size: number | undefined,
  path: string,
): AsyncGenerator<Uint8Array> {
  let length = 0
  for await (const piece of source) {
    length += piece.length
    if (size !== undefined && length > size) throw wrong(`it is longer than the ${size} bytes it said`)
    for (const { checksum } of wanted) checksum.update(piece)
    yield piece
  }
  if (size !== undefined && length !== size) throw wrong(`it ended after ${length} of ${size} bytes`)
  requireChecksums(wanted, path)
}

/**
 * `SIZE[;chunk-signature=…]`, the bytes, and so on to a chunk of 0 bytes; then trailers. A checksum
 * announced as a trailer joins `wanted` at once and gets its value at the end.
 */
async function* chunkedBytes(
  call: S3Call,
  wanted: WantedChecksum[],
  size: number | undefined,
): AsyncGenerator<Uint8Array> {
  const { payload } = call.signed
  const chain = payload.includes('HMAC') ? new SignatureChain(call.signed) : undefined
  const announced = announcedIn(call.request)
  wanted.push(...announced.values())
  const reader = new ByteReader(received(call))
  for (;;) {
    const { length, signature } = chunkHead(await reader.line(limits.s3LineBytes), size)
    const hash = chain === undefined ? undefined : runningDigest('sha256')
    for await (const piece of reader.take(length)) {
      hash?.update(piece)
      yield piece
    }
    if (hash !== undefined) chain?.acceptChunk(hash.digest('hex'), signature)
    if (length === 0) break
    if ((await reader.line(limits.s3LineBytes)) !== '') throw wrong('a chunk is longer than it says')
  }
  if (payload.endsWith('-TRAILER')) await readTrailers(reader, announced, chain)
  await reader.drain(limits.s3LineBytes)
}

function chunkHead(
  line: string,
  size: number | undefined,
): { length: number; signature: string | undefined } {
  const [, hex, signature] = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line) ?? []
  if (hex === undefined) throw wrong('a line that begins a chunk is not of the right form')
  const length = Number.parseInt(hex, 16)
  if (size !== undefined && length > size) throw wrong('a chunk is longer than the whole')
  return { length, signature }
}

/** Checksums that the header `x-amz-trailer` promises, by their names. */
function announcedIn(request: IncomingMessage): Map<string, WantedChecksum> {
  const names = (request.headers['x-amz-trailer']?.toString() ?? '').split(',')
  if (names.length > limits.s3Trailers) throw wrong(`it has more than ${limits.s3Trailers} trailers`)
  const found = new Map<string, WantedChecksum>()
  for (const name of names.map((text) => text.trim().toLowerCase())) {
    const checksum = checksumOf(name)
    if (checksum !== undefined) found.set(name, { name, checksum, value: '' })
  }
  return found
}

async function readTrailers(
  reader: ByteReader,
  announced: ReadonlyMap<string, WantedChecksum>,
  chain: SignatureChain | undefined,
): Promise<void> {
  let signedText = ''
  let signature: string | undefined
  for (let count = 0; ; count += 1) {
    const line = await reader.lineOrEnd(limits.s3LineBytes)
    if (line === undefined || line === '') break
    if (count > limits.s3Trailers) throw wrong(`it has more than ${limits.s3Trailers} trailers`)
    const at = line.indexOf(':')
    const name = line.slice(0, Math.max(0, at)).trim().toLowerCase()
    const value = line.slice(at + 1).trim()
    if (name === 'x-amz-trailer-signature') signature = value
    else signedText += `${name}:${value}\n`
    const wanted = announced.get(name)
    if (wanted !== undefined) wanted.value = value
  }
  chain?.acceptTrailers(signedText, signature)
}

/** Each chunk's signature covers the one before it, the first one that of the request. */
class SignatureChain {
  readonly #signed: SignedRequest
  #before: string

  constructor(signed: SignedRequest) {
    this.#signed = signed
    this.#before = signed.seed.signature
  }

  acceptChunk(hash: string, signature: string | undefined): void {
    this.#accept('AWS4-HMAC-SHA256-PAYLOAD', [emptyHash, hash], signature)
  }

  acceptTrailers(text: string, signature: string | undefined): void {
    this.#accept('AWS4-HMAC-SHA256-TRAILER', [sha256Hex(text)], signature)
  }

  #accept(kind: string, hashes: readonly string[], signature = ''): void {
    const { time, scope } = this.#signed.seed
    const text = [kind, time, scope, this.#before, ...hashes].join('\n')
    if (!this.#signed.signer.accepts(text, signature)) throw fail('SIGNATURE_REFUSED')
    this.#before = signature
  }
}

const emptyHash = sha256Hex('')

const wrong = (reason: string): Error => fail('BAD_INPUT', { what: 'the body', reason })
