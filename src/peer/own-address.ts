/** The web addresses of this device: one for people, which others can reach, and one for programs here. */
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

const anywhere = new Set(['0.0.0.0', '::', ''])

export function webAddresses(
  { host, port }: { host: string; port: number },
  publicUrl: string | undefined,
): { url: string; local: string } {
  const local = `http://${anywhere.has(host) ? '127.0.0.1' : bracketed(host)}:${port}`
  const lan = anywhere.has(host) ? `http://${lanAddress() ?? '127.0.0.1'}:${port}` : local
  return { url: publicUrl?.replace(/\/$/, '') ?? lan, local }
}

/** Every IPv4 address of this device that others may reach. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
}

/** The first IPv4 address that other devices can reach; made-up networks of containers come last. */
function lanAddress(): string | undefined {
  const found = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address }) => ({ address, virtual: /^(?:docker|br-|veth|virbr|vmnet|tun|tap)/.test(name) })),
  )
  return (found.find(({ virtual }) => !virtual) ?? found[0])?.address
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host
}
