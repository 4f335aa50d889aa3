/** How devices find each other again and again, with real processes. */
import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PeerProcess } from '../../src/cli/peer-process.ts'
import {
  codeOf,
  connectedTo,
  isThere,
  refusedStart,
  statusOf,
  eventually,
  numbered,
  Peers,
  safeFiles,
} from './peers.ts'

/** A stopped peer takes any port at its next start, not the one it had. */
async function forgetPort(peer: PeerProcess): Promise<void> {
  await rm(join(peer.home, 'peer-port'))
}

test('devices that never met connect through a third, and without it, at new ports', async (t) => {
  const peers = await Peers.make(t)
  const [a, b, c] = await peers.pool('a', 'b', 'c')
  for (const peer of [a!, b!, c!]) await connectedTo(peer, 3)
  const file = join(peers.folder, 'file')
  await writeFile(file, numbered(900_000))
  await a!.kill()
  await b!.run(['put', file, '--to', 'files/from-b'])
  await eventually('c has it', async () => (await copiesOf(c!, 'files/from-b')) >= 2)
  // b comes back at a new port while c is there: c is dialled where it was.
  await b!.kill()
  await forgetPort(b!)
  await b!.start()
  await c!.run(['put', file, '--to', 'files/from-c'])
  await eventually('b has it', async () => (await copiesOf(b!, 'files/from-c')) >= 2)
  await forgetPort(a!)
  await a!.start()
  for (const peer of [a!, b!, c!]) await connectedTo(peer, 3)
  await safeFiles(a!, 2)
})

/** 0 as long as it is not listed. */
async function copiesOf(peer: PeerProcess, path: string): Promise<number> {
  const info = await peer.json<{ copies: { have: number } }>(['info', path]).catch(() => undefined)
  return info?.copies.have ?? 0
}

/** Not `--no-mdns`: on a loopback host multicast stays on the loopback interface. */
const withMdns: string[] = []

test('an inviter at new ports is found by mDNS, though its code names the old ones', async (t) => {
  const peers = await Peers.make(t)
  const a = await peers.started('a', withMdns)
  const code = await codeOf(a)
  await a.stop()
  await forgetPort(a)
  await a.start()
  const b = await peers.started('b', withMdns, code)
  await connectedTo(a, 2)
  const { mdns } = await b.json<{ mdns: { peer: string; name: string; addresses: string[] }[] }>(['discover'])
  const seen = mdns.find(({ peer }) => peer === a.started.peer)
  assert.equal(seen?.name, 'a')
  const { addresses } = await statusOf(a)
  assert.ok(addresses.some((address) => address.startsWith(seen?.addresses[0] ?? 'nothing')))
})

test('without mDNS the address is given by hand, or the error says where it was looked for', async (t) => {
  const peers = await Peers.make(t)
  const a = await peers.started('a')
  const code = await codeOf(a)
  const [old] = (await statusOf(a)).addresses
  await a.stop()
  await forgetPort(a)
  await a.start()
  const { message, next } = await refusedStart('INVITER_UNREACHABLE', peers.home('b'), '--join', code)
  assert.ok(message.includes(a.started.peer) && message.includes(old!), message)
  assert.match(next, /--bootstrap/)
  assert.equal(await isThere(peers.home('b')), false, 'what was never sent needs no home')
  const [address] = (await statusOf(a)).addresses
  await peers.started('b', ['--no-mdns', '--bootstrap', address!], code)
  await connectedTo(a, 2)
})
