/** The web face of a peer: HTTP on the next free port, with limits on everything a client can hold. */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Clock, realClock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { type Log, silentLog } from '../base/log.ts'
import { type Random, systemRandom } from '../base/random.ts'
import type { Peer } from '../peer/peer.ts'
import { DavLocks } from './dav-locks.ts'
import { KnownDigests } from './digest.ts'
import { dispatch } from './dispatch.ts'
import { Events } from './events.ts'
import type { Face } from './route.ts'
import { routes } from './routes.ts'
import { SignInLimit } from './sign-in-limit.ts'
import { Tickets } from './tickets.ts'
import { type OtherConnections, speakBoth } from './two-schemes.ts'
import { RequestsUnderWay } from './under-way.ts'

const portsTried = 100
/** Wrong passwords from one address, in so long. */
const passwordsTried = 10
const passwordsTriedMs = 600_000

export interface WebFaceOptions {
  host: string
  /** 0 takes any free port. */
  port: number
  clock?: Clock | undefined
  random?: Random | undefined
  log?: Log | undefined
}

export interface WebFace {
  /** For programs on this machine; run.json also has the address for people. */
  url: string
  port: number
  /** Answers what is in flight for a moment, then ends everything. */
  close(): Promise<void>
}

/** Listens on `port` or the next free one; `PORT_BUSY` when there is none. */
export async function startWebFace(peer: Peer, options: WebFaceOptions): Promise<WebFace> {
  const clock = options.clock ?? realClock
  const random = options.random ?? systemRandom
  const face: Face = {
    peer,
    clock,
    random,
    log: options.log ?? silentLog,
    signIns: new SignInLimit(clock),
    passwords: new SignInLimit(clock, passwordsTried, passwordsTriedMs),
    tickets: new Tickets(clock, random),
    locks: new DavLocks(clock, random),
    digests: new KnownDigests(),
    bound: { host: options.host, port: options.port },
    underWay: new RequestsUnderWay(clock),
  }
  const events = new Events(face)
  const leave = peer.tokens.onEnded((id) => face.underWay.endOf(id))
  const { server, others } = createLimitedServer(face, events)
  const port = await listen(server, options.host, options.port)
  face.bound = { host: options.host, port }
  await peer.listening({ host: options.host, port })
  return {
    url: localUrl(options.host, port),
    port,
    close: () => {
      leave()
      return close(server, others, events, face)
    },
  }
}

function createLimitedServer(face: Face, events: Events): { server: Server; others: OtherConnections } {
  const serve = (request: IncomingMessage, response: ServerResponse): void =>
    void dispatch(face, routes, request, response)
  const server = createServer(
    {
      maxHeaderSize: limits.httpHeaderBytes,
      headersTimeout: limits.httpHeadTimeoutMs,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 30_000,
      // Uploads may take days; each body has its own stall timer (body.ts).
      requestTimeout: 0,
    },
    serve,
  )
  server.maxConnections = limits.httpSockets
  server.on('checkContinue', serve)
  server.on('checkExpectation', (_request, response: ServerResponse) => response.writeHead(417).end())
  server.on('connection', (socket) => socket.on('error', () => socket.destroy()))
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(error, socket))
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    events.upgrade(request, socket, head),
  )
  const certificate = once(() => face.peer.webCertificate())
  return { server, others: speakBoth({ server, serve, certificate, log: face.log }) }
}

/** What is no HTTP, too long or too slow gets one line and is cut. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy())
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  const last = port === 0 ? 0 : Math.min(port + portsTried - 1, 65_535)
  for (let tried = port; tried <= last; tried += 1) {
    const found = await tryListen(server, host, tried)
    if (found !== undefined) return found
  }
  throw fail('PORT_BUSY', { port, host })
}

/** The port, or undefined when it is taken or may not be used. */
function tryListen(server: Server, host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined)
      else
        reject(
          fail('SETTING_INVALID', { key: 'host', value: host, reason: error.code ?? error.message }, error),
        )
    }
    server.once('error', onError)
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', onError)
      server.on('error', () => undefined)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/** Begun when first asked for; again when it failed. */
function once<T>(run: () => Promise<T>): () => Promise<T> {
  let begun: Promise<T> | undefined
  return () =>
    (begun ??= run().catch((thrown: unknown) => {
      begun = undefined
      throw thrown
    }))
}

async function close(
  server: Server,
  others: OtherConnections,
  events: Events,
  { underWay, clock }: Face,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  events.close()
  server.closeIdleConnections()
  others.close()
  const cancelSoft = clock.after(limits.stopTimeoutMs / 4, () => {
    underWay.endAll()
  })
  const cancelHard = clock.after(limits.stopTimeoutMs / 2, () => {
    server.closeAllConnections()
    others.destroy()
  })
  await closed
  cancelSoft()
  cancelHard()
}

function localUrl(host: string, port: number): string {
  const own = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${own.includes(':') ? `[${own}]` : own}:${port}`
}
