/**
 * A lane: one TLS 1.3 connection whose only credential is a pre-shared key that its two ends agreed on
 * over an authenticated libp2p stream. No certificates, no tickets, no sessions. For bulk: native AES
 * moves several times what a libp2p stream does.
 *
 * The issuer listens, the other end dials. Who is at the other end is the issuer's own row for the id;
 * the key proves it. Each id is good for one connection within a minute.
 */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { connect, createServer, type Server, type TLSSocket } from 'node:tls'
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { PeerId } from '../base/words.ts'
import { bytes, field, fields, integer, optional, type Read } from '../codec/cbor-schema.ts'

const offerSchema = fields({
  port: field(0, integer(1, 65_535)),
  id: field(1, bytes(16)),
  key: field(2, bytes(32)),
})

/** What the dialling end needs. */
export type LaneOffer = Read<typeof offerSchema>

/** `lane.open`, question and answer: the offer of whoever listens; the question lacks it to ask for one. */
export const laneMessage = fields({ offer: optional(0, offerSchema) })

const tlsOptions = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256',
  // Without it a saved session resumed with no key at all.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const

/** The issuer's own row: who may connect with an id, and what then happens. */
interface Issued {
  peer: PeerId
  key: Uint8Array
  /** On the monotonic clock. */
  expiresMs: number
  take: (socket: TLSSocket) => void
}

export class LaneListener {
  readonly #clock: Clock
  readonly #random: Random
  readonly #issued = new Map<string, Issued>()
  readonly #claimed = new WeakMap<TLSSocket, Issued>()
  readonly #tls: Server

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
    this.#tls = createServer({
      ...tlsOptions,
      handshakeTimeout: limits.dialTimeoutMs,
      pskCallback: (socket, identity) => this.#claim(socket, identity),
    })
    this.#tls.on('secureConnection', (socket) => this.#connected(socket))
    this.#tls.on('tlsClientError', (_error, socket) => socket.destroy())
  }

  /** Issues one connection to `peer`; `take` gets it. */
  issue(peer: PeerId, port: number, take: (socket: TLSSocket) => void): LaneOffer {
    this.#expire()
    const id = this.#random.bytes(16)
    const key = this.#random.bytes(32)
    const expiresMs = this.#clock.monotonicMs() + limits.laneOfferMs
    this.#issued.set(id.toString('hex'), { peer, key, expiresMs, take })
    return { port, id, key }
  }

  /** Connections issued to a peer that have not come yet. */
  openOffers(peer: PeerId): number {
    this.#expire()
    return this.#issued.values().reduce((count, row) => count + Number(row.peer === peer), 0)
  }

  /** A connection that begins with a TLS handshake. */
  accept(socket: Socket): void {
    this.#tls.emit('connection', socket)
  }

  withdraw(peer: PeerId): void {
    for (const [id, row] of this.#issued) if (row.peer === peer) this.#issued.delete(id)
  }

  /** The key of an id, which is used up by asking. */
  #claim(socket: TLSSocket, identity: string): Buffer | null {
    this.#expire()
    const row = this.#issued.get(identity)
    if (row === undefined) return null
    this.#issued.delete(identity)
    this.#claimed.set(socket, row)
    return Buffer.from(row.key)
  }

  #connected(socket: TLSSocket): void {
    const row = this.#claimed.get(socket)
    if (row === undefined || !isKeyed(socket)) socket.destroy()
    else row.take(prepared(socket, this.#clock))
  }

  #expire(): void {
    const now = this.#clock.monotonicMs()
    for (const [id, row] of this.#issued) if (row.expiresMs <= now) this.#issued.delete(id)
  }
}

/** Connects to an issued lane; fails when the other end does not hold the key. */
export async function dialLane(host: string, { port, id, key }: LaneOffer, clock: Clock): Promise<TLSSocket> {
  const psk = { psk: Buffer.from(key), identity: Buffer.from(id).toString('hex') }
  const socket = connect({
    ...tlsOptions,
    host,
    port,
    ca: [],
    // Never reached: a certificate ends the lane. `undefined` would be refused (Node throws).
    checkServerIdentity: () => new Error('a lane has no certificate'),
    pskCallback: () => psk,
  })
  const timeout = new Error('no lane in time')
  const cancel = clock.after(limits.dialTimeoutMs, () => socket.destroy(timeout))
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the lane was refused')))
    })
    if (!isKeyed(socket)) throw new Error('the lane did not authenticate by its key')
    return prepared(socket, clock)
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    cancel()
  }
}

/**
 * Whether the pre-shared key, and nothing else, authenticated a connection. OpenSSL reports a
 * handshake by key as a reused session: false means that the key did not count.
 */
function isKeyed(socket: TLSSocket): boolean {
  const certificate = socket.getPeerCertificate() as object | null
  return socket.isSessionReused() && Object.keys(certificate ?? {}).length === 0
}

function prepared(socket: TLSSocket, clock: Clock): TLSSocket {
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  const cancel = clock.after(limits.laneLifeMs, () => socket.destroy())
  socket.once('close', cancel)
  return socket
}
