/** Encodings of answers: gzip, Brotli or zstd where the client takes them and they make it smaller. */
import type { IncomingMessage } from 'node:http'
import { pipeline, Readable, type Duplex } from 'node:stream'
import { promisify } from 'node:util'
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzip,
  zstdCompress,
} from 'node:zlib'
import { limits } from '../base/limits.ts'
import type { Call } from './route.ts'

export type Encoding = 'zstd' | 'br' | 'gzip'

/** Preferred first, where the client likes several as much. */
const known: readonly Encoding[] = ['zstd', 'br', 'gzip']

/** The encoding that a client likes best by its `Accept-Encoding`; undefined: none of these. */
export function acceptedEncoding(request: IncomingMessage): Encoding | undefined {
  const header = request.headers['accept-encoding']
  const weights = new Map<string, number>()
  for (const item of (typeof header === 'string' ? header : '').split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
    weights.set(
      name === 'x-gzip' ? 'gzip' : name,
      /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? Number(q) : 0,
    )
  }
  const weight = (name: string): number => weights.get(name) ?? weights.get('*') ?? 0
  const [best] = known.toSorted((a, b) => weight(b) - weight(a))
  return best !== undefined && weight(best) > 0 && weight(best) >= (weights.get('identity') ?? 0)
    ? best
    : undefined
}

const texts =
  /^(?:text\/|(?:application|image)\/(?:[\w.-]+\+)?(?:json|xml|javascript|ecmascript|typescript|yaml|toml|sql|wasm|rtf|x-sh|x-ndjson|x-tex|x-tar|svg\+xml|bmp)\b)/

/** Whether content is worth encoding: text, and not so little that the frame outweighs the gain. */
export const paysToEncode = (type: string, size: number): boolean =>
  size >= limits.encodedBytesMin && texts.test(type)

/** Fast levels: a network that is slower than these is the case that pays. */
const gzipFast = { level: 4 }
const brotliFast = { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }
const zstdFast = { params: { [constants.ZSTD_c_compressionLevel]: 2 } }

function encoder(encoding: Encoding): Duplex {
  if (encoding === 'gzip') return createGzip(gzipFast)
  return encoding === 'br' ? createBrotliCompress(brotliFast) : createZstdCompress(zstdFast)
}

/** An answer that is here whole, encoded on another thread. */
export function encodedWhole(bytes: Uint8Array, encoding: Encoding): Promise<Buffer> {
  if (encoding === 'gzip') return promisify(gzip)(bytes, gzipFast)
  if (encoding === 'br') return promisify(brotliCompress)(bytes, brotliFast)
  return promisify(zstdCompress)(bytes, zstdFast)
}

/** The encoding that an answer of text goes out in, when its client takes any; `size` undefined: not known yet. */
export function encodingOf(
  { request, response }: Pick<Call, 'request' | 'response'>,
  size = Infinity,
): Encoding | undefined {
  if (size < limits.encodedBytesMin) return undefined
  response.appendHeader('vary', 'accept-encoding')
  const encoding = acceptedEncoding(request)
  if (encoding !== undefined) response.setHeader('content-encoding', encoding)
  return encoding
}

/** `bytes` encoded, with the back-pressure of whoever reads. */
export function encoded(bytes: AsyncIterable<Uint8Array>, encoding: Encoding): AsyncIterable<Uint8Array> {
  // An error reaches the reader through the stream itself.
  return pipeline(Readable.from(bytes), encoder(encoding), () => undefined)
}
