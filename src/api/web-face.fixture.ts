/** A real peer in a temporary home with its web face on 127.0.0.1, and raw requests to it. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createPeer } from '../peer/create-peer.ts'
import type { Peer, Scope } from '../peer/peer.ts'
import type { SettingsValues } from '../peer/settings.ts'
import { problem } from './answers.ts'
import { type Description, descriptionOf } from './descriptions.ts'
import { statusesOf } from './openapi.ts'
import { parseRequestPath } from './request-path.ts'
import { matchRoute } from './router.ts'
import { routes } from './routes.ts'
import { type WebFace, startWebFace } from './server.ts'

export interface Asked {
  method?: string
  path: string
  headers?: Record<string, string>
  body?: string | Uint8Array
  /** The launch token unless said otherwise; `null`: none. */
  token?: string | null
}

export interface RawAnswer {
  status: number
  headers: IncomingHttpHeaders
  trailers: NodeJS.Dict<string>
  body: Buffer
}

export interface Answer extends RawAnswer {
  text: string
  /** The parsed body. */
  json: Record<string, unknown>
}

export class WebFaceFixture {
  readonly peer: Peer
  readonly face: WebFace
  /** Every log line of the peer. */
  readonly logged: string[]

  constructor(peer: Peer, face: WebFace, logged: string[]) {
    this.peer = peer
    this.face = face
    this.logged = logged
  }

  get token(): string {
    return this.peer.tokens.launchToken
  }

  /** One request with exactly these headers; its answer is held against what is described. */
  async ask(asked: Asked): Promise<Answer> {
    const { method = 'GET', path, headers = {} } = asked
    const raw = await this.askRaw(asked)
    const answer = { ...answerOf(raw.status, raw.headers, raw.body), trailers: raw.trailers }
    return requireDescribed(method, isSigned(path, headers) ? '' : path, answer)
  }

  /** The same, with the bytes of the body as they came. */
  askRaw({ method = 'GET', path, headers = {}, body, token = this.token }: Asked): Promise<RawAnswer> {
    const auth: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        host: '127.0.0.1',
        port: this.face.port,
        method,
        path,
        agent: false,
        headers: { ...auth, ...headers },
      })
      request.on('error', reject)
      request.on('response', (response) => {
        const parts: Buffer[] = []
        response.on('error', reject)
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            trailers: response.trailers,
            body: Buffer.concat(parts),
          }),
        )
      })
      request.end(body)
    })
  }

  /** Sends bytes as they are and resolves to all that comes back until the peer closes. */
  raw(bytes: string | Uint8Array): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(this.face.port, '127.0.0.1')
      let received = ''
      socket.on('data', (part) => (received += part.toString('latin1')))
      socket.on('error', () => resolve(received))
      socket.on('close', () => resolve(received))
      socket.write(bytes)
    })
  }

  async tokenWith(scopes: readonly Scope[], folder?: string): Promise<string> {
    return (await this.peer.tokens.create({ name: 'test', scopes, folder })).token
  }

  /** Fails unless the peer still answers. */
  async requireAlive(): Promise<void> {
    const { status } = await this.ask({ path: '/health', token: null })
    if (status !== 200) throw new Error(`the peer is not healthy any more: ${status}`)
  }
}

/** What is signed as S3 signs is S3's, whatever its path. */
const isSigned = (path: string, headers: Record<string, string>): boolean =>
  path.includes('X-Amz-') || headers['authorization']?.startsWith('AWS4') === true

/** Holds an answer against what openapi.json says of its route. */
function requireDescribed(method: string, path: string, answer: Answer): Answer {
  const { status, headers, json } = answer
  const isProblem = headers['content-type'] === 'application/problem+json'
  if (isProblem && answer.text !== '') problem.parse(json)
  const description = /^\/(?:api|files|uploads|health|metrics)\b/.test(path)
    ? describedAt(method, path)
    : undefined
  if (description === undefined || status >= 400 || isProblem) return answer
  assert.ok(
    statusesOf(description).includes(status),
    `${method} ${path} answers ${status}, which is not described`,
  )
  if (typeof description.answer === 'object' && answer.text !== '') description.answer.parse(json)
  return answer
}

function describedAt(method: string, path: string): Description | undefined {
  try {
    return descriptionOf(matchRoute(routes, method, parseRequestPath(path).segments).route)
  } catch {
    return undefined
  }
}

function answerOf(status: number, headers: IncomingHttpHeaders, body: Buffer): Answer {
  const text = body.toString('utf8')
  const isJson = /json/.test(headers['content-type'] ?? '') && !/ndjson/.test(headers['content-type'] ?? '')
  return {
    status,
    headers,
    body,
    trailers: {},
    text,
    json: isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {},
  }
}

/** Starts one; it ends with the test. */
export async function startFixture(
  t: TestContext,
  settings: Partial<SettingsValues> = {},
): Promise<WebFaceFixture> {
  const home = await mkdtemp(join(tmpdir(), 'peerstor-api-'))
  const logged: string[] = []
  const peer = await createPeer({
    home,
    settings: { host: '127.0.0.1', 'peer-port': 0, mdns: false, contribute: 2 ** 30, ...settings },
    onLog: (_level, line) => logged.push(JSON.stringify(line)),
  })
  await peer.start()
  const face = await startWebFace(peer, { host: '127.0.0.1', port: 0 })
  t.after(async () => {
    await face.close()
    await peer.stop()
    await rm(home, { recursive: true, force: true })
  })
  return new WebFaceFixture(peer, face, logged)
}
