/**
 * Finds peers on the same link by multicast DNS, and is found. A packet carries a random instance name,
 * the PeerId and the port: no pool, no user, no device name. The address is the one the packet came
 * from, so nobody can send us elsewhere; whether the peer is who it says is proved by the handshake.
 *
 * One socket for each interface (one for all finds nothing where there is no multicast route); a packet
 * counts only when its sender is in the interface's own network. Answers go to the multicast group,
 * at most once a second, so that they amplify nothing.
 */
import { BlockList } from 'node:net'
import { networkInterfaces } from 'node:os'
import makeMdns, { type MulticastDNS, type ResponsePacket } from 'multicast-dns'
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { PeerId } from '../base/words.ts'
import { isLoopback, tcpAddress } from './addresses.ts'
import { parsePeerId } from './peer-key.ts'

export interface MdnsOptions {
  peer: PeerId
  /** Where this peer listens: all interfaces, one, or loopback alone. */
  host: string
  port: number
  clock: Clock
  random: Random
  log: Log
  /** A peer is new here, or at a new address. */
  onPeer: (peer: PeerId, addresses: string[]) => void
}

export interface Sighting {
  peer: PeerId
  addresses: string[]
  /** Wall time in milliseconds. */
  lastSeen: number
}

interface Link {
  socket: MulticastDNS
  network: BlockList
  /** On the monotonic clock. */
  answeredMs: number
}

const service = '_peerstor._udp.local'
/** A few quick rounds at the start, because packets get lost, then now and then. */
const quickRoundsMs = [1000, 2000]

export class Mdns {
  readonly #options: MdnsOptions
  readonly #instance: string
  readonly #links = new Map<string, Link>()
  readonly #seen = new Map<PeerId, Sighting>()
  #cancel: () => void = () => undefined

  constructor(options: MdnsOptions) {
    this.#options = options
    this.#instance = `${options.random.bytes(8).toString('hex')}.${service}`
  }

  start(): void {
    this.#round(0)
  }

  async stop(): Promise<void> {
    this.#cancel()
    await Promise.all([...this.#links.keys()].map((address) => this.#close(address)))
  }

  sightings(): Sighting[] {
    this.#forgetOld()
    return [...this.#seen.values()]
  }

  addressesOf(peer: PeerId): string[] {
    return this.#seen.get(peer)?.addresses ?? []
  }

  /** Follows the interfaces as they come and go, tells of us and asks for others. */
  #round(count: number): void {
    const interfaces = usableInterfaces(this.#options.host)
    for (const address of this.#links.keys()) if (!interfaces.has(address)) void this.#close(address)
    for (const [address, cidr] of interfaces) if (!this.#links.has(address)) this.#open(address, cidr)
    for (const link of this.#links.values()) this.#ask(link)
    const pauseMs = quickRoundsMs[count] ?? limits.mdnsRoundMs
    this.#cancel = this.#options.clock.after(pauseMs, () => this.#round(count + 1))
  }

  #open(address: string, cidr: string): void {
    const network = new BlockList()
    network.addSubnet(address, Number(cidr.split('/')[1]), 'ipv4')
    // Bound to all addresses: multicast does not arrive at a socket that is bound to one.
    const socket = makeMdns({ interface: address, bind: '0.0.0.0', loopback: true })
    const link: Link = { socket, network, answeredMs: -Infinity }
    this.#links.set(address, link)
    socket.on('error', (error: Error) => this.#failed(address, error))
    socket.on('warning', (error: Error) => this.#options.log.debug('mDNS packet dropped', { error }))
    socket.on('query', (query, from) =>
      this.#safely(() => this.#queried(link, query.questions ?? [], from.address)),
    )
    socket.on('response', (response, from) => this.#safely(() => this.#heard(link, response, from.address)))
  }

  #failed(address: string, error: Error): void {
    this.#options.log.warn('no mDNS on this interface', { address, error })
    void this.#close(address)
  }

  async #close(address: string): Promise<void> {
    const link = this.#links.get(address)
    this.#links.delete(address)
    if (link === undefined) return
    await new Promise<void>((resolve) => link.socket.destroy(() => resolve()))
  }

  #ask(link: Link): void {
    link.socket.query([{ name: service, type: 'PTR' }])
    this.#answer(link)
  }

  /** Tells of us on one link, unless that was just done. */
  #answer(link: Link): void {
    const { clock, peer, port } = this.#options
    const now = clock.monotonicMs()
    if (now - link.answeredMs < limits.mdnsAnswerMs) return
    link.answeredMs = now
    const ttl = (2 * limits.mdnsRoundMs) / 1000
    link.socket.respond([
      { name: service, type: 'PTR', ttl, data: this.#instance },
      { name: this.#instance, type: 'TXT', ttl, data: [`peer=${peer}`, `port=${port}`] },
    ])
  }

  #queried(link: Link, questions: readonly { name: string; type: string }[], from: string): void {
    const forUs = questions.slice(0, 16).some(({ name, type }) => name === service && type === 'PTR')
    if (forUs && link.network.check(from, 'ipv4')) this.#answer(link)
  }

  #heard(link: Link, { answers = [] }: ResponsePacket, from: string): void {
    if (!link.network.check(from, 'ipv4')) return
    for (const answer of answers.slice(0, 16))
      if (answer.type === 'TXT' && answer.name.endsWith(`.${service}`))
        this.#saw(textFields(answer.data), from)
  }

  #saw(fields: Map<string, string>, from: string): void {
    const { clock, onPeer } = this.#options
    const peer = parsePeerId(fields.get('peer') ?? '')
    const port = Number(fields.get('port'))
    if (peer === this.#options.peer || !Number.isInteger(port) || port < 1 || port > 65_535) return
    const address = tcpAddress(from, port).toString()
    const known = this.#seen.get(peer)
    if (known === undefined && !this.#hasRoom(from)) return
    const others = (known?.addresses ?? []).filter((other) => other !== address)
    const addresses = [address, ...others].slice(0, limits.mdnsAddresses)
    this.#seen.set(peer, { peer, addresses, lastSeen: clock.now() })
    if (known?.addresses.includes(address) !== true) onPeer(peer, addresses)
  }

  /** The table is bounded, and no single sender fills it. */
  #hasRoom(from: string): boolean {
    this.#forgetOld()
    const there = `/ip4/${from}/tcp/`
    const samePlace = this.#seen.values().filter(({ addresses }) => addresses[0]?.startsWith(there) === true)
    return this.#seen.size < limits.mdnsPeers && [...samePlace].length < limits.mdnsPeersPerSender
  }

  #forgetOld(): void {
    const oldest = this.#options.clock.now() - limits.mdnsForgetMs
    for (const [peer, { lastSeen }] of this.#seen) if (lastSeen < oldest) this.#seen.delete(peer)
  }

  /** Whatever strangers on the link send is at worst ignored. */
  #safely(handle: () => void): void {
    try {
      handle()
    } catch (error) {
      this.#options.log.debug('mDNS packet dropped', { error })
    }
  }
}

/** IPv4 addresses to speak on, with their networks: loopback alone for a loopback host. */
function usableInterfaces(host: string): Map<string, string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const usable = all.filter(({ family, address, internal }) => {
    if (family !== 'IPv4') return false
    if (host === '0.0.0.0' || host === '::') return true
    return isLoopback(host) ? internal : address === host
  })
  return new Map(usable.map(({ address, cidr }) => [address, cidr ?? `${address}/32`]))
}

/** `key=value` strings of a TXT record. */
function textFields(data: unknown): Map<string, string> {
  const texts = Array.isArray(data) ? data : [data]
  const pairs = texts.slice(0, 8).map((text: unknown) => {
    const [key = '', value = ''] = (Buffer.isBuffer(text) ? text.toString() : '').slice(0, 200).split('=')
    return [key, value] as const
  })
  return new Map(pairs)
}
