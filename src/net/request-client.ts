/** Asks one request over a socket that an HTTP agent provides; the other end is `request-server.ts`. */
import { type Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { asPeerStorError, fail, PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { PeerId } from '../base/words.ts'
import { ByteReader, lengthPrefix } from './framing.ts'
import type { Reply, RequestOptions } from './network.ts'
import type { RequestName } from './registry.ts'
import { type StallWatch, watchedRead, watchedWrite } from './stall.ts'
import { parseError } from './wire-error.ts'

export interface Question {
  agent: Agent
  clock: Clock
  peer: PeerId
  name: RequestName
  head: Uint8Array
  options: RequestOptions
  /** Called once, when the answer is read to its end, given up or failed. */
  onDone?: (() => void) | undefined
}

/** Sends a request and resolves with the answer's head; its body follows as it is read. */
export async function ask(question: Question): Promise<Reply> {
  const { peer, name, options, clock } = question
  const timeoutMs = options.timeoutMs ?? limits.requestTimeoutMs
  const request = open(question)
  const end = ending(question, request)
  const timeout = fail('TIMED_OUT', { what: `request ${name} to ${peer}`, timeoutMs })
  const cancel = clock.after(timeoutMs, () => request.destroy(timeout))
  try {
    const response = await exchange(question, request)
    const stalled = fail('TIMED_OUT', { what: `the answer of ${peer}`, timeoutMs: limits.stallTimeoutMs })
    const watch = { clock, stallMs: limits.stallTimeoutMs, onStall: () => response.destroy(stalled) }
    const reader = new ByteReader(watchedRead(response, watch), `the answer to ${name}`)
    if (response.statusCode !== 200) throw await refusal(question, reader)
    const head = await reader.exactly(await reader.length(limits.answerHeadBytes))
    const whole = response.headers['content-length'] === String(4 + head.byteLength)
    if (whole && (await reader.ended())) end()
    return { head, body: whole ? nothing() : answerBody(reader, question, end) }
  } catch (error) {
    end()
    request.destroy()
    throw asAnswerError(error, question)
  } finally {
    cancel()
  }
}

function open({ agent, peer, name, head, options }: Question): ClientRequest {
  const length = options.body === undefined ? { 'content-length': 4 + head.byteLength } : {}
  return httpRequest({ agent, host: peer, method: 'POST', path: `/${name}`, headers: length, setHost: false })
}

/** Lets the caller's signal end the request, until the returned function has been called. */
function ending({ options: { signal }, onDone }: Question, request: ClientRequest): () => void {
  const abort = (): void => {
    request.destroy(fail('INTERRUPTED', { what: 'the request' }, signal?.reason))
  }
  if (signal?.aborted === true) abort()
  signal?.addEventListener('abort', abort, { once: true })
  let open = true
  return () => {
    if (!open) return
    open = false
    signal?.removeEventListener('abort', abort)
    onDone?.()
  }
}

/** Sends head and body, and resolves as soon as the peer begins to answer, even in the middle of it. */
async function exchange(question: Question, request: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  request.on('response', resolve)
  request.on('error', reject)
  request.on('close', () => reject(new Error('the connection closed')))
  write(question, request).catch((error: unknown) => request.destroy(error as Error))
  return await promise
}

async function write({ head, options, clock, peer }: Question, request: ClientRequest): Promise<void> {
  request.cork()
  request.write(lengthPrefix(head.byteLength))
  request.write(head)
  request.uncork()
  const { stallTimeoutMs: stallMs } = limits
  const stalled = fail('TIMED_OUT', { what: `sending to ${peer}`, timeoutMs: stallMs })
  const watch: StallWatch = { clock, stallMs, onStall: () => request.destroy(stalled) }
  if (options.body !== undefined) await watchedWrite(options.body, request, watch)
  request.end()
}

async function refusal({ peer, name }: Question, reader: ByteReader): Promise<PeerStorError> {
  const parts: Uint8Array[] = []
  for await (const part of reader.rest(limits.requestHeadBytes)) parts.push(part)
  return parseError(Buffer.concat(parts), peer, name)
}

async function* answerBody(
  reader: ByteReader,
  question: Question,
  end: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* reader.rest()
  } catch (error) {
    throw asAnswerError(error, question)
  } finally {
    end()
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

/** What a failed transport means to the caller. */
function asAnswerError(error: unknown, { peer, name }: Question): PeerStorError {
  const known = error instanceof PeerStorError ? error : undefined
  if (known?.data['what'] === `the answer to ${name}`)
    return fail('PEER_MISBEHAVED', { peer, request: name, reason: known.message }, known)
  if (known !== undefined) return known
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('HPE_'))
    return fail('PEER_MISBEHAVED', { peer, request: name, reason: 'its answer is not HTTP' }, error)
  const { data } = asPeerStorError(error)
  return fail('PEER_UNREACHABLE', { peer, reason: String(data['reason'] ?? data['what']) }, error)
}
