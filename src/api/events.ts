/**
 * `/events`: a WebSocket of `{seq, type, data}`; `?since=SEQ` repeats what was missed. Signed in by
 * cookie, Authorization header or `?ticket=` from `POST /api/v1/events/tickets`.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Subject } from '../peer/peer.ts'
import { authenticate } from './auth.ts'
import { checked } from './body.ts'
import { errorOf } from './errors.ts'
import { parseRequestPath } from './request-path.ts'
import { type Call, type Face, type Route, Reply } from './route.ts'
import { requireHost, requireOrigin } from './web-rules.ts'

const pingMs = 30_000

export const eventsRoutes: Route[] = [
  { method: 'POST', path: '/api/v1/events/tickets', scope: 'read', handle: giveTicket },
]

function giveTicket(call: Call): unknown {
  if (call.subject === undefined) throw fail('NOT_SIGNED_IN')
  return new Reply(201, call.face.tickets.give(call.subject))
}

const eventsQuery = z.strictObject({
  since: z.coerce.number().int().min(0).optional(),
  ticket: z.string().max(256).optional(),
})

/** The WebSockets of one web face. */
export class Events {
  readonly #face: Face
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: 1024, perMessageDeflate: false })
  /** Each with who listens. */
  readonly #sockets = new Map<WebSocket, Subject>()
  readonly #leave: () => void

  constructor(face: Face) {
    this.#face = face
    this.#leave = face.peer.tokens.onEnded((id) => {
      for (const [socket, subject] of this.#sockets) if (subject.id === id) signOut(socket)
    })
  }

  /** Answers an upgrade request; refused ones get a plain HTTP status. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    try {
      const { subject, since } = this.#admit(request)
      this.#server.handleUpgrade(request, socket, head, (opened) => this.#serve(opened, subject, since))
    } catch (thrown) {
      const error = errorOf(thrown)
      socket.end(`HTTP/1.1 ${error.status} ${error.code}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
    }
  }

  close(): void {
    this.#leave()
    for (const socket of this.#sockets.keys()) socket.close(1001, 'the peer stops')
    this.#server.close()
  }

  /** Who listens, and the number to begin after; fails for anybody who may not. */
  #admit(request: IncomingMessage): { subject: Subject; since: number | undefined } {
    requireHost(this.#face, request)
    requireOrigin(this.#face, request, true)
    const { segments, query } = parseRequestPath(request.url ?? '')
    if (segments.join('/') !== 'events') throw fail('NOT_FOUND', { what: 'address', name: 'WebSocket' })
    const { since, ticket } = checked(eventsQuery, Object.fromEntries(query), 'the query')
    const subject = this.#subject(request, ticket)
    if (subject === undefined) throw fail('NOT_SIGNED_IN')
    this.#face.peer.tokens.require(subject, 'read')
    if (this.#sockets.size >= limits.eventSockets)
      throw fail('RATE_LIMITED', { who: 'WebSockets', seconds: 30 })
    return { subject, since }
  }

  #subject(request: IncomingMessage, ticket: string | undefined): Subject | undefined {
    if (ticket === undefined) return authenticate(this.#face, request)
    const subject = this.#face.tickets.take(ticket)
    return subject !== undefined && this.#face.peer.tokens.stands(subject) ? subject : undefined
  }

  #serve(socket: WebSocket, subject: Subject, since: number | undefined): void {
    this.#sockets.set(socket, subject)
    const stop = this.#face.peer.events(since, ({ seq, event }) => {
      if (socket.bufferedAmount > limits.eventBufferBytes) socket.terminate()
      else socket.send(JSON.stringify({ seq, type: event.type, data: event.data }))
    })
    const stopPings = this.#keepAlive(socket, subject)
    socket.on('error', () => socket.terminate())
    socket.on('close', () => {
      stop()
      stopPings()
      this.#sockets.delete(socket)
    })
  }

  /** Closes a socket whose other end is gone (no answer from one ping to the next), or whose time is over. */
  #keepAlive(socket: WebSocket, subject: Subject): () => void {
    let answered = true
    let cancel = (): void => undefined
    const ping = (): void => {
      if (!answered) return socket.terminate()
      if (!this.#face.peer.tokens.stands(subject)) return signOut(socket)
      answered = false
      socket.ping()
      cancel = this.#face.clock.after(pingMs, ping)
    }
    socket.on('pong', () => (answered = true))
    cancel = this.#face.clock.after(pingMs, ping)
    return () => cancel()
  }
}

/** 1008: the browser's page asks again and is led to the sign-in page. */
function signOut(socket: WebSocket): void {
  socket.close(1008, 'signed out')
}
