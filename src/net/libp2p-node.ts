/** The libp2p engine as PeerStor uses it: TCP, Noise, yamux, identify, ping, and limits on all of them. */
import { createServer, type Server, type Socket } from 'node:net'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { ConnectionGater, CreateListenerOptions, Listener } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'
import { fail } from '../base/errors.ts'
import { onFirstByte } from '../base/first-byte.ts'
import { limits } from '../base/limits.ts'
import { tcpAddress } from './addresses.ts'

export interface NodeOptions {
  /** 32-byte Ed25519 seed. */
  privateKey: Uint8Array
  host: string
  /** The next free port is taken when it is busy; 0 takes any. */
  port: number
  /** Tried first. */
  lastPort?: number | undefined
  dialTimeoutMs: number
  gater: ConnectionGater
  /** Addresses to tell others, given the port that was free. */
  announce: (port: number) => string[]
  /** Takes sockets that begin with TLS, to serve lanes on the same port. */
  onTls: (socket: Socket) => void
}

/** Ports tried one after the other. */
const portsTried = 100
/** First byte of a TLS handshake; libp2p's begins with 0x13. */
const tlsHandshake = 0x16

/** Starts a node on the first free port; fails with `PORT_BUSY`. */
export async function startNode(options: NodeOptions): Promise<{ node: Libp2p; port: number }> {
  const { host, port: wanted } = options
  for (const candidate of candidates(options)) {
    const port = await freePort(host, candidate)
    if (port === undefined) continue
    const node = await createNode(options, port)
    try {
      await node.start()
      return { node, port }
    } catch (error) {
      await node.stop()
      if (await freePort(host, port)) throw error
    }
  }
  throw fail('PORT_BUSY', { port: wanted, host })
}

function candidates({ port, lastPort }: NodeOptions): number[] {
  const next = Array.from({ length: portsTried }, (_, tried) => (port === 0 ? 0 : port + tried))
  return lastPort === undefined ? next : [lastPort, ...next]
}

async function createNode(options: NodeOptions, port: number): Promise<Libp2p> {
  const { privateKey, host, dialTimeoutMs, gater, announce, onTls } = options
  return await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', privateKey),
    nodeInfo: { userAgent: 'peerstor' },
    addresses: { listen: listenOn(host, port), announce: announce(port) },
    transports: [tcpWithLanes(onTls)],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: limits.streamsPerConnection,
        maxOutboundStreams: limits.streamsPerConnection,
        streamOptions: {
          maxStreamWindowSize: limits.streamWindow,
          maxReadBufferLength: limits.streamWindow,
          maxWriteBufferLength: limits.streamWindow,
        },
      }),
    ],
    connectionGater: gater,
    connectionManager: {
      maxConnections: limits.connections,
      maxPeerAddrsToDial: limits.peerAddresses,
      dialTimeout: dialTimeoutMs,
      addressDialTimeout: dialTimeoutMs,
      inboundUpgradeTimeout: dialTimeoutMs,
      inboundConnectionThreshold: limits.inboundPerSecond,
      maxIncomingPendingConnections: limits.inboundPerSecond,
      reconnectRetries: 0,
    },
    connectionMonitor: {
      pingInterval: limits.pingMs,
      pingTimeout: { minTimeout: limits.pingMs, maxTimeout: 3 * limits.pingMs },
    },
    services: { identify: identify(), ping: ping({ maxInboundStreams: 2 }) },
  })
}

/** `::` is all interfaces in both families, as for Node's own servers. */
function listenOn(host: string, port: number): string[] {
  const hosts = host === '::' ? ['0.0.0.0', '::'] : [host]
  return hosts.map((host) => tcpAddress(host, port).toString())
}

/**
 * libp2p's TCP transport, except that a listener looks at the first byte of each connection, so that
 * libp2p and the lanes share one port.
 */
function tcpWithLanes(onTls: (socket: Socket) => void): ReturnType<typeof tcp> {
  const make = tcp({ maxConnections: limits.connections })
  return (components) => {
    const transport = make(components)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = (options: CreateListenerOptions): Listener => {
      const listener = createListener(options)
      divertTls((listener as Listener & { server: Server }).server, onTls)
      return listener
    }
    return transport
  }
}

function divertTls(server: Server, onTls: (socket: Socket) => void): void {
  const toLibp2p = server.listeners('connection') as ((socket: Socket) => void)[]
  const open = new Set<Socket>()
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    onFirstByte(socket, limits.dialTimeoutMs, (first) => {
      if (first === tlsHandshake) onTls(socket)
      else toLibp2p.forEach((take) => take.call(server, socket))
    })
  })
  // libp2p ends only the sockets it knows; a server closes once all of its sockets have.
  const close = server.close.bind(server)
  server.close = (done) => {
    open.forEach((socket) => socket.destroy())
    return close(done)
  }
}

/** The port when it is free on `host` (any free one for 0), else nothing. */
async function freePort(host: string, port: number): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(undefined) : reject(error),
    )
    server.listen({ host, port }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}
