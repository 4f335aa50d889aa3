/**
 * Speaks the REST API of the peer that runs on a home; what every command of the command line uses.
 * Plain node:http: a command must start fast, and streams both ways with back-pressure.
 */
import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
} from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type ErrorCode, PeerStorError, catalogue, fail } from '../base/errors.ts'
import type { PutResult } from '../peer/peer.ts'
import { readRun } from '../peer/run-file.ts'
import { endFrame, inBlocks } from './frame-bytes.ts'

export type Query = Record<string, string | number | boolean | undefined>

export interface CallParts {
  query?: Query | undefined
  body?: unknown
  headers?: Record<string, string> | undefined
  signal?: AbortSignal | undefined
}

export type BatchLine =
  | PutResult
  | { path: string; error: { code: ErrorCode; message: string; next: string } }

/** The client of the peer that runs on `home`; `PEER_NOT_RUNNING` when none does. */
export async function connect(home: string, start: string): Promise<Client> {
  const run = await readRun(home)
  if (run === undefined) throw fail('PEER_NOT_RUNNING', { home, start })
  return new Client({ base: run.local ?? run.url, token: run.token, home, start })
}

export class Client {
  readonly #to: { base: string; token: string; home: string; start: string }

  constructor(to: { base: string; token: string; home: string; start: string }) {
    this.#to = to
  }

  async get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return this.call('GET', path, { query, signal })
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    return textOf(await this.#ok(this.#send('GET', path, { signal })))
  }

  /** One call with JSON both ways. */
  async call<T>(method: string, path: string, parts: CallParts = {}): Promise<T> {
    const body = parts.body === undefined ? undefined : JSON.stringify(parts.body)
    const type = body === undefined ? undefined : { 'content-type': 'application/json' }
    const headers = { ...type, ...parts.headers }
    return jsonOf<T>(await this.#ok(this.#send(method, path, { ...parts, headers }, body)))
  }

  /** One call that answers in JSON lines as it goes on; one with `error` ends it. */
  async *lines(
    method: string,
    path: string,
    { body, ...parts }: CallParts = {},
  ): AsyncGenerator<Record<string, unknown>> {
    const headers = { 'content-type': 'application/json', accept: 'application/x-ndjson', ...parts.headers }
    for await (const line of jsonLines(
      await this.#ok(this.#send(method, path, { ...parts, headers }, JSON.stringify(body ?? {}))),
    )) {
      if ('error' in line) throw errorFrom(line['error'] as Problem, 500)
      yield line
    }
  }

  /** `PUT /files/PATH` of a stream; `size` undefined: it is not known. */
  async upload(
    path: string,
    source: AsyncIterable<Uint8Array>,
    size: number | undefined,
    parts: CallParts = {},
  ): Promise<PutResult> {
    return jsonOf(await this.#stream('PUT', `/files/${encodePath(path)}`, source, size, parts))
  }

  /** One request of tus; what it answers stands in its headers. */
  async tus(method: 'POST' | 'DELETE', path: string, parts: CallParts = {}): Promise<IncomingHttpHeaders> {
    const { headers } = (await this.#ok(this.#send(method, path, withTus(parts)))).resume()
    return headers
  }

  /** `PATCH` of an upload with all bytes from `offset` on. */
  async goOn(
    path: string,
    source: AsyncIterable<Uint8Array>,
    range: { offset: number; size: number },
    parts: CallParts = {},
  ): Promise<void> {
    const { offset, size } = range
    const headers = { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) }
    await this.#stream('PATCH', path, source, size - offset, withTus({ ...parts, headers }))
  }

  /** Sends a stream once the peer asks for it; its answer, read to its end. */
  async #stream(
    method: string,
    path: string,
    source: AsyncIterable<Uint8Array>,
    size: number | undefined,
    parts: CallParts,
  ): Promise<string> {
    const length: Record<string, string> = size === undefined ? {} : { 'content-length': String(size) }
    const headers = { ...parts.headers, ...length, expect: '100-continue' }
    const request = this.#request(method, path, { ...parts, headers })
    const answer = answerOf(request)
    const sent = sendWhenAsked(request, answer, source, parts.signal)
    try {
      return await textOf(await this.#settled(answer, sent))
    } finally {
      // A refused body is never sent to its end.
      request.destroy()
    }
  }

  /** `GET /files/PATH`: the answer's head, its bytes as a stream. */
  async download(path: string, parts: CallParts = {}): Promise<IncomingMessage> {
    const headers = { ...parts.headers, te: 'trailers' }
    return this.#ok(this.#send('GET', `/files/${encodePath(path)}`, { ...parts, headers }))
  }

  /** One call with a JSON body whose answer is a stream. */
  async stream(method: string, path: string, { body, ...parts }: CallParts): Promise<IncomingMessage> {
    const headers = { 'content-type': 'application/json' }
    return this.#ok(this.#send(method, path, { ...parts, headers }, JSON.stringify(body ?? {})))
  }

  /** `GET /api/v1/chunks/PATH`: one chunk as a stream, like a download. */
  async chunk(path: string, number: number, { query, ...parts }: CallParts = {}): Promise<IncomingMessage> {
    const address = `/api/v1/chunks/${encodePath(path)}`
    const request = this.#request('GET', address, {
      ...parts,
      query: { ...query, n: number },
      headers: { te: 'trailers' },
    })
    const answer = answerOf(request)
    request.end()
    return this.#ok(answer)
  }

  /** `POST /api/v1/batch`: sends `frames` while it yields the acknowledgements. */
  async *batch(frames: AsyncIterable<Uint8Array>, parts: CallParts = {}): AsyncGenerator<BatchLine> {
    const request = this.#request('POST', '/api/v1/batch', parts)
    const answer = answerOf(request)
    let failure: unknown
    const sent = pipeline(inBlocks(withEnd(frames, (thrown) => (failure = thrown))), request)
    sent.catch(() => undefined)
    try {
      yield* acknowledged(await this.#ok(answer))
      await sent
    } catch (thrown) {
      // A source that failed says more than the stream that broke over it.
      throw failure ?? thrown
    }
  }

  /** Waits for answer and upload; a refusal of the peer says more than the pipe that broke over it. */
  async #settled(answer: Promise<IncomingMessage>, sent: Promise<void>): Promise<IncomingMessage> {
    const failure = sent.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    const first = await Promise.race([
      answer.then(
        (response) => ({ response }),
        (thrown: unknown) => ({ thrown }),
      ),
      failure.then(async (thrown) =>
        thrown === undefined ? new Promise<never>(() => undefined) : { thrown },
      ),
    ])
    if ('response' in first && first.response !== undefined) return this.#ok(Promise.resolve(first.response))
    const source = await failure
    throw source instanceof PeerStorError ? source : this.#errorOf('thrown' in first ? first.thrown : source)
  }

  /** One request whose body is known whole. */
  async #send(method: string, path: string, parts: CallParts, body?: string): Promise<IncomingMessage> {
    const request = this.#request(method, path, parts)
    const answer = answerOf(request)
    request.end(body)
    try {
      return await answer
    } catch (thrown) {
      // The peer may close an idle connection in the moment it is used again: a read loses nothing by a new one.
      if (method === 'GET' && request.reusedSocket && isReset(thrown)) return this.#send(method, path, parts)
      throw thrown
    }
  }

  #request(method: string, path: string, { query, headers, signal }: CallParts): ClientRequest {
    // The path goes out as it is: resolving it as a link would open another one for `a/../b`.
    return httpRequest(this.#to.base, {
      method,
      path: path + queryText(query),
      headers: { ...headers, authorization: `Bearer ${this.#to.token}` },
      ...(signal === undefined ? {} : { signal }),
    })
  }

  /** An answer of status 2xx; anything else as the error that it describes. */
  async #ok(answer: Promise<IncomingMessage>): Promise<IncomingMessage> {
    const response = await answer.catch((thrown: unknown) => {
      throw this.#errorOf(thrown)
    })
    const status = response.statusCode ?? 500
    if (status < 300) return response
    throw errorFrom(await jsonOf<Problem>(response).catch(() => ({})), status)
  }

  #errorOf(thrown: unknown): unknown {
    const code = (thrown as NodeJS.ErrnoException | undefined)?.code
    if (code === 'ECONNREFUSED')
      return fail('PEER_NOT_RUNNING', { home: this.#to.home, start: this.#to.start })
    if (isReset(thrown)) return fail('INTERRUPTED', { what: 'the connection to the peer' }, thrown)
    return thrown
  }
}

function isReset(thrown: unknown): boolean {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code
  return code === 'ECONNRESET' || code === 'EPIPE'
}

interface Problem {
  code?: string
  message?: string
  next?: string
}

/** The error of a problem document, with the text that the peer filled in. */
function errorFrom(problem: Problem, status: number): PeerStorError {
  const code =
    problem.code !== undefined && Object.hasOwn(catalogue, problem.code) ? problem.code : 'INTERNAL'
  const error = new PeerStorError(code as ErrorCode, { reason: `HTTP ${status}` })
  if (problem.message !== undefined) error.message = problem.message
  return problem.next === undefined ? error : Object.assign(error, { next: problem.next })
}

/** `FOLDER/PATH` as it stands in an address. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

function queryText(query: Query | undefined): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== false)
  if (given.length === 0) return ''
  return `?${new URLSearchParams(given.map(([name, value]) => [name, value === true ? '1' : String(value)])).toString()}`
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', reject)
    // A request that its own source ends says nothing but this.
    request.once('close', () => reject(fail('INTERRUPTED', { what: 'the request' })))
  })
  answer.catch(() => undefined)
  return answer
}

/** Sends the body once the peer asks for it; it may answer without. */
async function sendWhenAsked(
  request: ClientRequest,
  answer: Promise<unknown>,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const asked = new Promise<boolean>((resolve) => {
    request.once('continue', () => resolve(true))
    const unasked = (): void => resolve(false)
    answer.then(unasked, unasked)
  })
  request.flushHeaders()
  if (await asked) await pipeline(source, request, signal === undefined ? {} : { signal })
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

const withTus = (parts: CallParts): CallParts => ({
  ...parts,
  headers: { ...parts.headers, 'tus-resumable': '1.0.0' },
})

async function jsonOf<T>(answer: IncomingMessage | string): Promise<T> {
  const text = typeof answer === 'string' ? answer : await textOf(answer)
  return (text === '' ? undefined : JSON.parse(text)) as T
}

async function* jsonLines(response: IncomingMessage): AsyncGenerator<Record<string, unknown>> {
  let rest = ''
  response.setEncoding('utf8')
  for await (const part of response) {
    const lines = (rest + (part as string)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line) as Record<string, unknown>
  }
}

async function* acknowledged(response: IncomingMessage): AsyncGenerator<BatchLine> {
  let ended = false
  for await (const line of jsonLines(response)) {
    if ('end' in line) ended = true
    else if ('error' in line && !('path' in line)) throw errorFrom(line['error'] as Problem, 500)
    else yield line as unknown as BatchLine
  }
  if (!ended) throw fail('INTERRUPTED', { what: 'the batch stream' })
}

/** Yields frames and their end; tells why they failed. */
async function* withEnd(
  frames: AsyncIterable<Uint8Array>,
  failed: (thrown: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* frames
  } catch (thrown) {
    failed(thrown)
    throw thrown
  }
  yield endFrame
}
