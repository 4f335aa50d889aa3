/**
 * `http://` and `https://` on one port: the first byte of a connection tells them apart. Below TLS the
 * same HTTP/1 server answers, with the same limits; browsers are answered by HTTP/2.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import {
  constants,
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2'
import type { Socket } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls'
import { onFirstByte } from '../base/first-byte.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { WebCertificate } from '../peer/peer.ts'

/** First byte of a TLS handshake; no method of HTTP begins with it. */
const tlsHandshake = 0x16

export type Serve = (request: IncomingMessage, response: ServerResponse) => void

export interface SecureParts {
  server: Server
  serve: Serve
  /** Asked for by the first secure connection. */
  certificate: () => Promise<WebCertificate>
  log: Log
}

/** Connections that the HTTP server does not know of: silent ones, those of TLS, sessions of HTTP/2. */
export interface OtherConnections {
  /** What is idle ends at once, sessions with what is in flight. */
  close(): void
  destroy(): void
}

/** Makes `server` speak both. */
export function speakBoth(parts: SecureParts): OtherConnections {
  const { server, log } = parts
  const toHttp = server.listeners('connection') as ((socket: Socket) => void)[]
  const http2 = serveHttp2(parts.serve)
  const silent = new Set<Socket>()
  const secured = new Set<Socket>()
  let tls: Promise<TlsServer> | undefined
  const secure = (socket: Socket): void => {
    secured.add(socket)
    // Else a client that is gone after half a handshake would hold its socket for good.
    socket.allowHalfOpen = false
    socket.once('close', () => secured.delete(socket))
    tls ??= serveTls(parts, (opened) => toHttp.forEach((take) => take.call(server, opened)), http2.server)
    tls.then(
      (listener) => listener.emit('connection', socket),
      (thrown: unknown) => {
        tls = undefined
        log.error('https cannot be served', { reason: String(thrown) })
        socket.destroy()
      },
    )
  }
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
    onFirstByte(socket, limits.httpHeadTimeoutMs, (first) => {
      silent.delete(socket)
      if (first === tlsHandshake) secure(socket)
      else toHttp.forEach((take) => take.call(server, socket))
    })
  })
  return {
    close: () => {
      for (const socket of silent) socket.destroy()
      http2.close()
    },
    destroy: () => {
      http2.destroy()
      for (const socket of secured) socket.destroy()
    },
  }
}

async function serveTls(
  { certificate }: SecureParts,
  toHttp: (socket: TLSSocket) => void,
  http2: Http2Server,
): Promise<TlsServer> {
  const { certificate: cert, key } = await certificate()
  const server = createTlsServer({
    cert,
    key,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: limits.httpHeadTimeoutMs,
  })
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  server.on('secureConnection', (socket) => {
    socket.on('error', () => socket.destroy())
    if (socket.alpnProtocol === 'h2') http2.emit('connection', socket)
    else toHttp(socket)
  })
  return server
}

/** Streams of HTTP/2 as the requests and answers that every handler knows. */
function serveHttp2(serve: Serve): OtherConnections & { server: Http2Server } {
  const sessions = new Set<ServerHttp2Session>()
  const server = createHttp2Server({
    settings: {
      initialWindowSize: limits.http2Window,
      maxConcurrentStreams: limits.http2Streams,
      maxHeaderListSize: limits.httpHeaderBytes,
    },
  })
  server.on('session', (session) => {
    sessions.add(session)
    session.setLocalWindowSize(2 * limits.http2Window)
    session.setTimeout(limits.http2IdleMs, () => session.close())
    session.on('error', () => session.destroy())
    session.once('close', () => sessions.delete(session))
  })
  server.on('request', (request, response) => {
    request.headers.host ??= request.authority
    // What the compatibility layer lacks of a response: senders ask whether the client is gone.
    Object.defineProperty(response, 'destroyed', { get: () => response.stream?.destroyed ?? true })
    // Of an answer that is merely destroyed the client sees a proper end, of a request nothing at all.
    const { stream } = response
    const destroy = request.destroy.bind(request)
    response.destroy = () => {
      stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      return response
    }
    request.destroy = (error) => {
      response.destroy()
      return destroy(error)
    }
    serve(request as unknown as IncomingMessage, response as unknown as ServerResponse)
  })
  return {
    server,
    close: () => sessions.forEach((session) => session.close()),
    destroy: () => sessions.forEach((session) => session.destroy()),
  }
}
