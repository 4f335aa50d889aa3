/** `Content-Digest` (RFC 9530): checked on what comes in, told of what goes out where it is known or asked for. */
import { createHash, type Hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** A digest of what it is fed; `algorithm` is one that HTTP headers name. */
export const runningDigest = (algorithm: string): Hash => createHash(algorithm)

const algorithms: Record<string, string> = { 'sha-256': 'sha256', 'sha-512': 'sha512' }

interface Digest {
  name: string
  digest: Buffer
}

/** The first digest of the header that can be checked here. */
function wantedDigest(header: string): Digest | undefined {
  for (const item of header.split(',')) {
    const match = /^\s*([a-z0-9-]+)=:([A-Za-z0-9+/=]*):\s*$/.exec(item)
    const name = match?.[1] ?? ''
    if (Object.hasOwn(algorithms, name)) return { name, digest: Buffer.from(match?.[2] ?? '', 'base64') }
  }
  return undefined
}

/**
 * `bytes` unchanged; fails with `DIGEST_MISMATCH` at their end when they are not what the header says.
 * Bytes without a digest pass untouched: hashing costs more than all else an upload does.
 */
export async function* checkDigest(
  bytes: AsyncIterable<Uint8Array>,
  header: string | undefined,
  path: string,
): AsyncGenerator<Uint8Array> {
  const wanted = header === undefined ? undefined : wantedDigest(header)
  if (wanted === undefined) {
    yield* bytes
    return
  }
  const hash = runningDigest(algorithms[wanted.name]!)
  for await (const piece of bytes) {
    hash.update(piece)
    yield piece
  }
  if (!hash.digest().equals(wanted.digest)) throw fail('DIGEST_MISMATCH', { path })
}

/** A digest as it stands in `Content-Digest`. */
const itemOf = ({ name, digest }: Digest): string => `${name}=:${digest.toString('base64')}:`

/** The algorithm that `Want-Content-Digest` likes best, of those known here. */
export function digestAskedFor(request: IncomingMessage): string | undefined {
  const header = request.headers['want-content-digest']
  const items = (typeof header === 'string' ? header : '').split(',').flatMap((item) => {
    const match = /^\s*([a-z0-9-]+)\s*=\s*(\d{1,2})\s*$/.exec(item)
    const name = match?.[1] ?? ''
    return Object.hasOwn(algorithms, name) ? [{ name, weight: Number(match?.[2]) }] : []
  })
  const [best] = items.toSorted((a, b) => b.weight - a.weight)
  return best === undefined || best.weight === 0 ? undefined : best.name
}

/** `bytes` unchanged; `tell` hears their digest at the end, as it stands in `Content-Digest`. */
export async function* tellDigest(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  tell: (item: string) => void,
): AsyncGenerator<Uint8Array> {
  const hash = runningDigest(algorithms[name]!)
  for await (const piece of bytes) {
    hash.update(piece)
    yield piece
  }
  tell(itemOf({ name, digest: hash.digest() }))
}

/** Digests of whole contents by their hash, as uploads brought them; the oldest fall. */
export class KnownDigests {
  readonly #items = new Map<string, string>()

  /** What an upload's header said, once it was checked. */
  learn(hash: string, header: string | undefined): void {
    const checked = header === undefined ? undefined : wantedDigest(header)
    if (checked === undefined) return
    this.#items.set(hash, itemOf(checked))
    const [oldest] = this.#items.keys()
    if (this.#items.size > limits.digestsKnown) this.#items.delete(oldest!)
  }

  of(hash: string): string | undefined {
    return this.#items.get(hash)
  }
}

/** SHA-256 in hex, as S3 signatures name requests and chunks. */
export const sha256Hex = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex')
