/** Requests signed by signature version 4 as its specification says, and ways to sign them wrongly. */
import { createHash, createHmac } from 'node:crypto'
import type { Scope } from '../peer/peer.ts'
import type { Answer, WebFaceFixture } from './web-face.fixture.ts'
import { parseXml, splitName, type XmlElement } from './xml.ts'

export interface S3Asked {
  method?: string
  /** `/BUCKET/KEY`, not encoded. */
  path: string
  query?: Record<string, string>
  /** Signed with the request. */
  headers?: Record<string, string>
  /** Sent, but not signed. */
  unsignedHeaders?: Record<string, string>
  body?: string | Uint8Array
  /** What `x-amz-content-sha256` says; the hash of the body unless said otherwise. */
  payload?: string
  /** Time of signing. */
  at?: Date
  secret?: string
  /** Of the whole query string as it is sent, when that is not the one that was signed. */
  sentQuery?: string
}

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

export const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
const encodePath = (path: string): string => path.split('/').map(encode).join('/')

export class S3Client {
  readonly web: WebFaceFixture
  readonly id: string
  readonly secret: string
  readonly host: string

  constructor(web: WebFaceFixture, id: string, secret: string) {
    this.web = web
    this.id = id
    this.secret = secret
    this.host = `127.0.0.1:${web.face.port}`
  }

  /** One request; the XML of its answer is in `text`. */
  ask(asked: S3Asked): Promise<Answer> {
    const { path, body, unsignedHeaders = {}, sentQuery } = asked
    const { headers, query } = this.sign(asked)
    return this.web.ask({
      method: asked.method ?? 'GET',
      path: `${encodePath(path)}?${sentQuery ?? query}`,
      headers: { ...headers, ...unsignedHeaders },
      ...(body !== undefined && { body }),
      token: null,
    })
  }

  /** Headers and query of a signed request, with what signatures of its chunks go on from. */
  sign(asked: S3Asked) {
    const { method = 'GET', path, query = {}, body = '', at = new Date() } = asked
    const payload = asked.payload ?? sha256(body)
    const time = timeText(at)
    const headers: Record<string, string> = {
      host: this.host,
      'x-amz-date': time,
      'x-amz-content-sha256': payload,
      ...asked.headers,
    }
    const names = Object.keys(headers).sort()
    const queryText = queryOf(query)
    const canonical = canonicalOf(method, path, queryText, headers, names, payload)
    const { signature, scope, key } = this.#signature(canonical, time, asked.secret)
    headers['authorization'] =
      `AWS4-HMAC-SHA256 Credential=${this.id}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
    return { headers, query: queryText, signature, time, scope, key }
  }

  /** A presigned address, path and query. */
  presign({
    method = 'GET',
    path,
    at = new Date(),
    seconds = 60,
    query: more = {},
  }: Pick<S3Asked, 'method' | 'path' | 'at' | 'query'> & { seconds?: number }): string {
    const time = timeText(at)
    const query = {
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': `${this.id}/${time.slice(0, 8)}/us-east-1/s3/aws4_request`,
      'X-Amz-Date': time,
      'X-Amz-Expires': String(seconds),
      'X-Amz-SignedHeaders': 'host',
      ...more,
    }
    const text = queryOf(query)
    const canonical = canonicalOf(method, path, text, { host: this.host }, ['host'], 'UNSIGNED-PAYLOAD')
    const { signature } = this.#signature(canonical, time, undefined)
    return `${encodePath(path)}?${text}&X-Amz-Signature=${signature}`
  }

  /** A body in signed chunks, with the trailers that come behind it. */
  chunked(
    asked: S3Asked,
    chunks: readonly (string | Uint8Array)[],
    trailers?: Record<string, string>,
    spoil?: (body: Buffer) => Buffer,
  ): Promise<Answer> {
    const payload = `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailers === undefined ? '' : '-TRAILER'}`
    const size = chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk), 0)
    const headers = {
      'x-amz-decoded-content-length': String(size),
      ...(trailers !== undefined && { 'x-amz-trailer': Object.keys(trailers).join(',') }),
      ...asked.headers,
    }
    const signed = this.sign({ ...asked, headers, payload })
    let before = signed.signature
    const next = (kind: string, ...hashes: string[]): string =>
      (before = hmac(signed.key, [kind, signed.time, signed.scope, before, ...hashes].join('\n')).toString(
        'hex',
      ))
    const parts = [...chunks, ''].flatMap((chunk) => {
      const signature = next('AWS4-HMAC-SHA256-PAYLOAD', sha256(''), sha256(chunk))
      const head = `${Buffer.byteLength(chunk).toString(16)};chunk-signature=${signature}\r\n`
      return [head, chunk, chunk.length === 0 && trailers !== undefined ? '' : '\r\n']
    })
    if (trailers !== undefined) {
      const lines = Object.entries(trailers).map(([name, value]) => `${name}:${value}\n`)
      const signature = next('AWS4-HMAC-SHA256-TRAILER', sha256(lines.join('')))
      parts.push(
        ...lines.map((line) => line.replace('\n', '\r\n')),
        `x-amz-trailer-signature:${signature}\r\n\r\n`,
      )
    }
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
    return this.web.ask({
      method: 'PUT',
      path: `${encodePath(asked.path)}?${signed.query}`,
      headers: signed.headers,
      body: spoil?.(body) ?? body,
      token: null,
    })
  }

  #signature(canonical: string, time: string, secret = this.secret) {
    const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`
    const key = scope.split('/').reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secret}`))
    const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
    return { signature: hmac(key, text).toString('hex'), scope, key }
  }
}

/** A client with a key pair of its own. */
export async function s3Client(
  web: WebFaceFixture,
  scopes: readonly Scope[] = ['admin'],
  folder?: string,
): Promise<S3Client> {
  const { keyPair } = await web.peer.tokens.create({ name: 's3', scopes, folder, s3: true })
  return new S3Client(web, keyPair?.accessKeyId ?? '', keyPair?.secretAccessKey ?? '')
}

/** Texts of all elements of a name, in order. */
export function texts(document: string, wanted: string): string[] {
  const found: string[] = []
  const walk = (element: XmlElement): void => {
    const text = element.children.filter((child) => typeof child === 'string').join('')
    if (splitName(element.name).local === wanted) found.push(text)
    for (const child of element.children) if (typeof child !== 'string') walk(child)
  }
  walk(parseXml(document))
  return found
}

const timeText = (at: Date): string => at.toISOString().replaceAll(/[-:]|\.\d+/g, '')

const queryOf = (query: Record<string, string>): string =>
  Object.entries(query)
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')

function canonicalOf(
  method: string,
  path: string,
  query: string,
  headers: Record<string, string>,
  names: readonly string[],
  payload: string,
): string {
  const lines = names.map((name) => `${name}:${headers[name]?.trim() ?? ''}\n`).join('')
  return [method, encodePath(path), query, lines, names.join(';'), payload].join('\n')
}
