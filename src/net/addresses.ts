/** Where peers can be dialled: reading what people type, choosing what we tell others. */
import { isIP, isIPv4 } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { CODE_P2P, CODE_TCP, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { fail } from '../base/errors.ts'
import type { PeerId } from '../base/words.ts'

/** Where libp2p listens when nobody says otherwise. */
export const defaultPeerPort = 8081

/** Parses a multiaddr or `host[:port]`; fails with `BAD_INPUT`. */
export function parseAddress(text: string): Multiaddr {
  try {
    return text.startsWith('/') ? checkedTcp(multiaddr(text)) : fromHostPort(text)
  } catch (error) {
    throw fail(
      'BAD_INPUT',
      { what: `address ${text.slice(0, 200)}`, reason: 'expected a multiaddr or host[:port]' },
      error,
    )
  }
}

/** The peer an address ends in, when it names one. */
export function peerOf(address: Multiaddr): PeerId | undefined {
  return address.getComponents().findLast(({ code }) => code === CODE_P2P)?.value as PeerId | undefined
}

/** An address without the peer it ends in. */
export function withoutPeer(address: Multiaddr): Multiaddr {
  return address.decapsulateCode(CODE_P2P)
}

/** Host and port of a TCP address. */
export function hostAndPort(address: Multiaddr): { host: string; port: number } {
  const [host, transport] = address.getComponents()
  return { host: host?.value ?? '', port: Number(transport?.value ?? 0) }
}

/** The multiaddr of a TCP port. */
export function tcpAddress(host: string, port: number): Multiaddr {
  return multiaddr(`/${kindOf(host)}/${host}/tcp/${port}`)
}

/** Whether a listener on `host` can be reached from this device alone. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/**
 * What a listener on `host` and `port` may be dialled at, without `/p2p/ID`: the loopback address alone
 * on a loopback host; the named address otherwise; LAN addresses, then loopback, on all interfaces.
 */
export function listenAddresses(
  host: string,
  port: number,
  interfaces: Record<string, NetworkInterfaceInfo[] | undefined> = networkInterfaces(),
): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [tcpAddress(host, port).toString()]
  const families = host === '::' ? ['IPv4', 'IPv6'] : ['IPv4']
  return Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, address }) => families.includes(family) && !address.startsWith('fe80:'))
    .toSorted((one, other) => Number(one.internal) - Number(other.internal))
    .map(({ address }) => tcpAddress(address, port).toString())
}

/** Addresses from others that are worth dialling, loopback last; nonsense is left out. */
export function dialable(addresses: readonly string[], peer: PeerId, atMost: number): Multiaddr[] {
  const useful = addresses.slice(0, 4 * atMost).flatMap((text) => readOther(text, peer) ?? [])
  const seen = new Map(useful.map((address) => [address.toString(), address]))
  return [...seen.values()].toSorted((one, other) => farness(one) - farness(other)).slice(0, atMost)
}

function readOther(text: string, peer: PeerId): Multiaddr | undefined {
  try {
    const address = parseAddress(text.slice(0, 300))
    const named = peerOf(address)
    if (named !== undefined && named !== peer) return undefined
    const { host } = hostAndPort(address)
    return host === '0.0.0.0' || host === '::' || isMulticast(host) ? undefined : withoutPeer(address)
  } catch {
    return undefined
  }
}

const isMulticast = (host: string): boolean =>
  isIPv4(host) ? Number.parseInt(host) >= 224 : host.startsWith('ff') && isIP(host) === 6

const farness = (address: Multiaddr): number => Number(isLoopback(hostAndPort(address).host))

function fromHostPort(text: string): Multiaddr {
  if (isIP(text) === 6) return tcpAddress(text, defaultPeerPort)
  const match = /^(?:\[(?<six>[0-9a-f:.]+)\]|(?<host>[\w.-]{1,253}))(?::(?<port>\d{1,5}))?$/i.exec(text)
  const { six, host, port } = match?.groups ?? {}
  const name = six ?? host
  if (name === undefined) throw new Error('no host')
  return checkedTcp(tcpAddress(name, port === undefined ? defaultPeerPort : Number(port)))
}

/** Only `/HOST/tcp/PORT[/p2p/ID]`: what this peer's transport dials. */
function checkedTcp(address: Multiaddr): Multiaddr {
  const [host, transport, ...rest] = address.getComponents()
  const { port } = hostAndPort(address)
  const tail = rest.length === 0 || (rest.length === 1 && rest[0]?.code === CODE_P2P)
  const named = ['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(host?.name ?? '')
  if (!named || transport?.code !== CODE_TCP || port < 1 || port > 65_535 || !tail) throw new Error('not TCP')
  return address
}

function kindOf(host: string): string {
  const family = isIP(host)
  return family === 0 ? 'dns' : family === 6 ? 'ip6' : 'ip4'
}
