/**
 * Answers the requests of authenticated peers, whatever carries them: libp2p streams and lanes are
 * both handed in as sockets of a known peer.
 *
 * On the wire a request is `POST /NAME` whose body is a length, the head, and the rest; an answer is
 * status 200 with a body of the same form, or a catalogue status with the error (`wire-error.ts`).
 * The role is looked up for every request, and a refused one is refused before its body is read.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../base/clock.ts'
import { asPeerStorError, fail, PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { PeerId, Role } from '../base/words.ts'
import { free } from '../base/handover.ts'
import { ByteReader, lengthPrefix } from './framing.ts'
import type { Answer, Handler } from './network.ts'
import { mayAsk, registry, type RequestName } from './registry.ts'
import { type StallWatch, watchedRead, watchedWrite } from './stall.ts'
import { encodeError } from './wire-error.ts'

export interface RequestServerOptions {
  self: PeerId
  roleOf: (peer: PeerId) => Role
  clock: Clock
  log: Log
}

/** What is known of a request before its body is read. */
interface Admitted {
  name: RequestName
  role: Role
  handler: Handler
}

export class RequestServer {
  readonly #options: RequestServerOptions
  readonly #handlers = new Map<RequestName, Handler>()
  readonly #http: Server
  readonly #peerOf = new WeakMap<Duplex, PeerId>()
  readonly #sockets = new Map<PeerId, Set<Duplex>>()
  readonly #cancelIdle = new WeakMap<Duplex, () => void>()

  constructor(options: RequestServerOptions) {
    this.#options = options
    this.#http = createServer({
      maxHeaderSize: limits.requestHttpHeaderBytes,
      requireHostHeader: false,
      keepAliveTimeout: 0,
      headersTimeout: 0,
      requestTimeout: 0,
    })
    this.#http.maxHeadersCount = 16
    this.#http.on('request', (request, response) => void this.#answer(request, response))
    this.#http.on('clientError', (_error, socket) => socket.destroy())
  }

  serve(name: RequestName, handler: Handler): void {
    this.#handlers.set(name, handler)
  }

  /** Whether this many sockets of a peer are open. */
  socketsOf(peer: PeerId): number {
    return this.#sockets.get(peer)?.size ?? 0
  }

  /** Answers what comes over `socket`; `peer` has proved to hold its other end. */
  accept(socket: Duplex, peer: PeerId): void {
    this.#peerOf.set(socket, peer)
    const sockets = this.#sockets.get(peer) ?? new Set()
    this.#sockets.set(peer, sockets.add(socket))
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      this.#cancelIdle.get(socket)?.()
      sockets.delete(socket)
      if (sockets.size === 0 && this.#sockets.get(peer) === sockets) this.#sockets.delete(peer)
    })
    this.#idle(socket, limits.requestIdleMs)
    this.#http.emit('connection', socket)
  }

  /** Ends every request of a peer at once. */
  drop(peer: PeerId): void {
    for (const socket of this.#sockets.get(peer) ?? []) socket.destroy()
  }

  close(): void {
    for (const peer of this.#sockets.keys()) this.drop(peer)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const controller = new AbortController()
    response.once('close', () => controller.abort())
    this.#busy(request.socket, response)
    const watch = this.#watch(request)
    try {
      const peer = this.#peerOf.get(request.socket) as PeerId
      const admitted = this.#admit(request, peer)
      const cancel = this.#deadline(admitted.role, request)
      const answer = await this.#run(admitted, peer, request, watch, controller.signal).finally(cancel)
      await send(request, response, answer, watch)
    } catch (error) {
      this.#refuse(request, response, error)
    }
  }

  /** Decides from the request line alone. */
  #admit(request: IncomingMessage, peer: PeerId): Admitted {
    const role = this.#options.roleOf(peer)
    const name = (request.url ?? '').slice(1)
    const known = request.method === 'POST' && Object.hasOwn(registry, name)
    if (!known || !mayAsk(role, name as RequestName))
      throw fail('PEER_REFUSED', { peer: this.#options.self, request: name.slice(0, 40), role })
    const handler = this.#handlers.get(name as RequestName)
    if (handler === undefined) throw fail('NOT_HERE', { what: name, reason: 'this peer does not answer it' })
    return { name: name as RequestName, role, handler }
  }

  async #run(
    { name, role, handler }: Admitted,
    from: PeerId,
    request: IncomingMessage,
    watch: StallWatch,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { headBytes, bodyBytes } = registry[name]
    const what = `request ${name}`
    if (Number(request.headers['content-length'] ?? 0) > 4 + headBytes + bodyBytes)
      throw fail('TOO_LARGE', { what, limit: headBytes + bodyBytes })
    const reader = new ByteReader(watchedRead(request, watch), what)
    const head = await reader.exactly(await reader.length(headBytes))
    if (bodyBytes === 0 && !(await reader.ended())) throw fail('TOO_LARGE', { what, limit: headBytes })
    return await handler({ from, role, head, body: reader.rest(bodyBytes), signal })
  }

  #refuse(request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
    const error = asPeerStorError(thrown)
    if (!(thrown instanceof PeerStorError) && !response.destroyed)
      this.#options.log.error('a request failed', { request: request.url, error: thrown })
    if (response.headersSent || response.destroyed) {
      response.destroy()
      return
    }
    const body = encodeError(error)
    if (!request.complete) response.shouldKeepAlive = false
    response.writeHead(error.status, { 'content-length': body.byteLength })
    response.end(body)
  }

  #watch(request: IncomingMessage): StallWatch {
    const { clock } = this.#options
    const { socket } = request
    return { clock, stallMs: limits.stallTimeoutMs, onStall: () => socket.destroy() }
  }

  /** Strangers get one deadline for the whole request; devices only must not stall. */
  #deadline(role: Role, request: IncomingMessage): () => void {
    if (role !== 'stranger' && role !== 'ex-member') return () => undefined
    return this.#options.clock.after(limits.requestTimeoutMs, () => request.socket.destroy())
  }

  /** Between requests, and until the first one's header is whole, a socket may wait only so long. */
  #idle(socket: Duplex, ms: number): void {
    this.#cancelIdle.get(socket)?.()
    this.#cancelIdle.set(
      socket,
      this.#options.clock.after(ms, () => socket.destroy()),
    )
  }

  #busy(socket: Duplex, response: ServerResponse): void {
    this.#cancelIdle.get(socket)?.()
    response.once('close', () => {
      if (!socket.destroyed)
        this.#idle(socket, response.shouldKeepAlive ? limits.requestIdleMs : limits.lingerMs)
    })
  }
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { head, body, given = false }: Answer,
  watch: StallWatch,
): Promise<void> {
  if (!request.complete) response.shouldKeepAlive = false
  response.writeHead(200, body === undefined ? { 'content-length': 4 + head.byteLength } : {})
  response.cork()
  response.write(lengthPrefix(head.byteLength))
  response.write(head)
  response.uncork()
  // A lane encrypts a piece before it reports it as written; libp2p may still hold it then.
  const sent = given && request.socket instanceof TLSSocket ? free : undefined
  if (body !== undefined) await watchedWrite(body, response, watch, sent)
  const cancel = watch.clock.after(watch.stallMs, watch.onStall)
  response.once('close', cancel)
  response.end()
}
