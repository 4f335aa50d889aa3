import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { Answer } from 'dns-packet'
import makeMdns, { type MulticastDNS } from 'multicast-dns'
import { realClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { silentLog } from '../base/log.ts'
import { systemRandom } from '../base/random.ts'
import type { PeerId } from '../base/words.ts'
import { Mdns, type Sighting } from './mdns.ts'
import { startNetwork } from './networks.fixture.ts'
import { peerIdOf } from './peer-key.ts'

const head = Buffer.from('head')
const group = '224.0.0.251'

/** A peer in a process of its own, until the test ends. */
async function forkPeer(t: TestContext): Promise<{ child: ChildProcess; peer: PeerId }> {
  const child = fork(new URL('mdns-peer.fixture.ts', import.meta.url).pathname)
  t.after(async () => {
    child.disconnect()
    await once(child, 'exit')
  })
  const [peer] = (await once(child, 'message')) as [PeerId]
  return { child, peer }
}

test('peers in three processes find each other on loopback and nowhere else', async (t) => {
  const [one, two] = await Promise.all([forkPeer(t), forkPeer(t)])
  const found = new Map<PeerId, string[]>()
  const both = Promise.withResolvers<void>()
  const network = await startNetwork(t, {
    mdns: true,
    prepare: (network) =>
      network.on((event) => {
        if (event.type === 'discover') found.set(event.peer, event.addresses)
        if (found.has(one.peer) && found.has(two.peer)) both.resolve()
      }),
  })
  await both.promise
  for (const peer of [one.peer, two.peer]) {
    assert.match(found.get(peer)?.[0] ?? '', /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
    assert.deepEqual(Buffer.from((await network.request(peer, 'hello', head)).head), head)
  }
  const seen = network.discovered().mdns.map(({ peer }) => peer)
  assert.ok(seen.includes(one.peer) && seen.includes(two.peer) && !seen.includes(network.peer))
})

interface MdnsUnderTest {
  mdns: Mdns
  /** Another program on loopback, which has heard `mdns` and so is heard by it. */
  sender: MulticastDNS
  /** Waits for news of a peer. */
  until: (peer: PeerId) => Promise<void>
}

async function startMdns(t: TestContext): Promise<MdnsUnderTest> {
  const waiting = new Map<PeerId, () => void>()
  const peer = peerIdOf(systemRandom.bytes(32))
  const sender = makeMdns({ interface: '127.0.0.1', bind: '0.0.0.0' })
  const heard = new Promise<void>((resolve) => {
    sender.on('response', ({ answers }) => {
      if (JSON.stringify(answers?.map(textOf)).includes(peer)) resolve()
    })
  })
  const mdns = new Mdns({
    peer,
    host: '127.0.0.1',
    port: 4001,
    clock: realClock,
    random: systemRandom,
    log: silentLog,
    onPeer: (peer) => waiting.get(peer)?.(),
  })
  mdns.start()
  t.after(async () => {
    await mdns.stop()
    await new Promise<void>((resolve) => sender.destroy(() => resolve()))
  })
  await heard
  const until = async (peer: PeerId): Promise<void> =>
    await new Promise((resolve) => waiting.set(peer, resolve))
  return { mdns, sender, until }
}

const textOf = (answer: Answer): string => (answer.type === 'TXT' ? String(answer.data) : '')

test('malformed packets and false claims do no harm', async (t) => {
  const { mdns, sender, until } = await startMdns(t)
  const random = systemRandom
  const raw = createSocket({ type: 'udp4', reuseAddr: true })
  t.after(async () => await new Promise<void>((resolve) => raw.close(() => resolve())))
  raw.bind(0, '127.0.0.1')
  await once(raw, 'listening')
  raw.setMulticastInterface('127.0.0.1')
  const junk = [Buffer.alloc(0), Buffer.from([0xc0, 0x0c]), Buffer.alloc(12, 255), random.bytes(500)]
  // A name that points at itself.
  junk.push(Buffer.from('000084000001000000000000c00c000c0001', 'hex'))
  for (const packet of junk) raw.send(packet, 5353, group)
  const name = 'x._peerstor._udp.local'
  const claim = (...data: string[]): void => sender.respond([{ name, type: 'TXT', ttl: 120, data }])
  const liar = peerIdOf(random.bytes(32))
  claim()
  claim('peer=', 'port=1')
  claim('peer=not-an-id', 'port=1')
  claim(`peer=${liar}`, 'port=0')
  claim(`peer=${liar}`, 'port=70000')
  claim(`peer=${liar}`, 'port=1e3x')
  const honest = peerIdOf(random.bytes(32))
  claim(`peer=${honest}`, 'port=4002')
  await until(honest)
  const ours = ({ peer }: Sighting): boolean => peer === honest || peer === liar
  const sightings = mdns.sightings().filter(ours)
  assert.deepEqual(
    sightings.map(({ peer, addresses }) => [peer, addresses]),
    [[honest, ['/ip4/127.0.0.1/tcp/4002']]],
  )
})

test('one sender fills only his share of the table', async (t) => {
  const { mdns, sender } = await startMdns(t)
  const name = 'x._peerstor._udp.local'
  const heard = Promise.withResolvers<void>()
  let count = 0
  sender.on('response', ({ answers = [] }) => {
    count += Number(answers.some((answer) => answer.name === name))
    if (count > 2 * limits.mdnsPeersPerSender) heard.resolve()
  })
  for (let peers = 0; peers <= 2 * limits.mdnsPeersPerSender; peers += 1)
    sender.respond([
      { name, type: 'TXT', ttl: 120, data: [`peer=${peerIdOf(systemRandom.bytes(32))}`, 'port=9'] },
    ])
  await heard.promise
  assert.equal(mdns.sightings().length, limits.mdnsPeersPerSender)
})
