/** `Content-Digest` (RFC 9530): what the client says its bytes hash to, checked before they are kept. */
import { createHash, type Hash } from 'node:crypto'
import { fail } from '../base/errors.ts'

/** A digest of what it is fed; `algorithm` is one that HTTP headers name. */
export const runningDigest = (algorithm: string): Hash => createHash(algorithm)

const algorithms: Record<string, string> = { 'sha-256': 'sha256', 'sha-512': 'sha512' }

/** The first digest of the header that can be checked here: algorithm of node:crypto and expected bytes. */
function wantedDigest(header: string): { algorithm: string; digest: Buffer } | undefined {
  for (const item of header.split(',')) {
    const match = /^\s*([a-z0-9-]+)=:([A-Za-z0-9+/=]*):\s*$/.exec(item)
    const algorithm = algorithms[match?.[1] ?? '']
    if (algorithm !== undefined) return { algorithm, digest: Buffer.from(match?.[2] ?? '', 'base64') }
  }
  return undefined
}

/** `bytes` unchanged; fails with `DIGEST_MISMATCH` at their end when they are not what the header says. */
export async function* checkDigest(
  bytes: AsyncIterable<Uint8Array>,
  header: string | undefined,
  path: string,
): AsyncGenerator<Uint8Array> {
  const wanted = header === undefined ? undefined : wantedDigest(header)
  const hash = wanted === undefined ? undefined : createHash(wanted.algorithm)
  for await (const piece of bytes) {
    hash?.update(piece)
    yield piece
  }
  if (wanted !== undefined && hash?.digest().equals(wanted.digest) !== true)
    throw fail('DIGEST_MISMATCH', { path })
}
