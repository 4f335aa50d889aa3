/**
 * Peers of every role that flood a real process with connections, streams, requests, slow bodies and
 * heads of 100 MB: it stays alive in a small heap, and honest requests are answered all the while.
 */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import type { Connection } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import { loadPeerKey } from '../../src/access/device-keys.ts'
import { limits } from '../../src/base/limits.ts'
import { systemRandom } from '../../src/base/random.ts'
import { PeerProcess, runToEnd } from '../../src/cli/peer-process.ts'
import { startNode } from '../../src/net/libp2p-node.ts'
import { protocol } from '../../src/net/peer-connections.ts'
import { requestNames } from '../../src/net/registry.ts'
import { StreamSocket } from '../../src/net/stream-socket.ts'
import { temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

const MiB = 2 ** 20
/** A process whose heap outgrows this ends: that it lives shows that its heap is bounded. */
const heapMiB = 112

/** A libp2p node with the key of a home, or with a new one. */
async function startEvil(t: TestContext, home?: string): Promise<Libp2p> {
  const seed = home === undefined ? systemRandom.bytes(32) : readFileSync(join(home, 'keys', 'peer.key'))
  const { node } = await startNode({
    privateKey: seed,
    host: '127.0.0.1',
    port: 0,
    dialTimeoutMs: limits.dialTimeoutMs,
    gater: {},
    announce: (port) => [`/ip4/127.0.0.1/tcp/${port}`],
    onTls: (socket) => socket.destroy(),
  })
  t.after(async () => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    await node.stop()
  })
  return node
}

const settled = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Ends with the promise or after `ms`, whatever came. */
const atMost = (ms: number, promise: Promise<unknown>): Promise<unknown> =>
  Promise.race([promise.catch(() => undefined), settled(ms)])

/** One bad request on a stream of its own; ends when the peer closes or a moment is over. */
async function offend(connection: Connection, bytes: Buffer, more: number): Promise<void> {
  const socket = new StreamSocket(await connection.newStream(protocol))
  socket.on('error', () => undefined)
  socket.resume()
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(bytes)
  const piece = Buffer.alloc(64 * 1024, 'x')
  for (let sent = 0; sent < more && !socket.destroyed; sent += piece.length)
    if (!socket.write(piece)) await atMost(200, new Promise((resolve) => socket.once('drain', resolve)))
  await atMost(100, closed)
  socket.destroy()
}

/** Requests of every name, well-formed at first and then not. */
function offences(): { bytes: Buffer; more: number }[] {
  const post = (name: string, header: string, body = ''): Buffer =>
    Buffer.from(`POST /${name} HTTP/1.1\r\n${header}\r\n\r\n${body}`, 'latin1')
  return requestNames.flatMap((name) => [
    { bytes: post(name, 'content-length: 8', '\x04\0\0\0\xff\xff\xff\xff'), more: 0 },
    { bytes: post(name, 'transfer-encoding: chunked', '4\r\n\0\0\x40\x06\r\n'), more: 100 * MiB },
    { bytes: post(name, 'content-length: 104857600', '\0\0\x40\x06'), more: 100 * MiB },
    { bytes: post(name, 'content-length: 100000', '\x04\0\0\0'), more: 0 },
    { bytes: Buffer.from(`POST /${name} HTTP/1.1\r\nx: `), more: 100 * MiB },
  ])
}

/** Floods with requests over as many connections as the peer allows. */
async function flood(node: Libp2p, address: string, requests: number): Promise<number> {
  const all = offences()
  let tried = 0
  const lane = async (): Promise<void> => {
    while (tried < requests) {
      const { bytes, more } = all[tried % all.length] as { bytes: Buffer; more: number }
      tried += 1
      try {
        await offend(await node.dial(multiaddr(address)), bytes, more)
      } catch {
        await settled(5)
      }
    }
  }
  await Promise.all(Array.from({ length: 24 }, lane))
  return tried
}

/** Sockets that connect and say nothing, or nonsense. */
async function floodSockets(address: string, count: number): Promise<number> {
  const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])
  const open: Socket[] = []
  let refused = 0
  for (let number = 0; number < count; number += 1) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.on('close', () => (refused += 1))
    if (number % 3 === 1) socket.write(Buffer.alloc(5000, 0x13))
    if (number % 3 === 2) socket.write(Buffer.alloc(5000, 0x16))
    open.push(socket)
    if (number % 100 === 99) await settled(20)
  }
  await settled(300)
  for (const socket of open) socket.destroy()
  return refused
}

const ownMemory = (pid: number): number =>
  Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024

test('a flood of any role leaves a peer alive, small and answering', { timeout: 120_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const target = new PeerProcess(
    [`--max-old-space-size=${heapMiB}`, ...program],
    'target',
    join(folder, 'target'),
  )
  t.after(() => target.kill())
  const { url, token } = await target.start()
  const roles: Record<string, Libp2p> = { stranger: await startEvil(t) }
  for (const role of ['member', 'storage', 'ex-member']) {
    const home = join(folder, role)
    const storageOnly = role === 'storage' ? ['--storage-only'] : []
    const { code } = await target.json<{ code: string }>(['invite', ...storageOnly])
    const device = new PeerProcess(program, role, home)
    await device.start(undefined, code)
    await device.stop()
    await loadPeerKey(home, systemRandom)
    roles[role] = await startEvil(t, home)
  }
  await target.run(['device', 'revoke', 'ex-member'])
  await runToEnd(program, ['put', '-', '--to', 'files/honest', '--home', target.home], { input: 'honest' })
  const { addresses } = await target.json<{ addresses: string[] }>(['status'])
  const address = addresses.find((text) => text.includes('127.0.0.1')) as string
  const before = ownMemory(target.pid as number)

  let answered = 0
  const over = new AbortController()
  const honest = (async () => {
    while (!over.signal.aborted) {
      const read = await fetch(`${url}/files/files/honest`, { headers: { authorization: `Bearer ${token}` } })
      assert.equal(await read.text(), 'honest')
      answered += 1
      await settled(50)
    }
  })()
  honest.catch(() => undefined)
  for (const [role, node] of Object.entries(roles)) {
    const tried = await flood(node, address, 120)
    t.diagnostic(
      `${role}: ${tried} requests, ${answered} honest ones answered so far, ${Math.round(ownMemory(target.pid as number) / MiB)} MiB`,
    )
  }
  const refused = await floodSockets(address, 2000)
  over.abort()
  await honest
  assert.equal(target.died, undefined)
  assert.ok(answered > 10, `${answered} honest requests were answered`)
  const after = ownMemory(target.pid as number)
  t.diagnostic(
    `2000 sockets, ${refused} closed by the peer; memory ${Math.round(before / MiB)} to ${Math.round(after / MiB)} MiB`,
  )
  assert.ok(after - before < 160 * MiB, `memory grew by ${after - before} bytes`)
  // An honest device still joins and is served.
  const { code } = await target.json<{ code: string }>(['invite'])
  const late = new PeerProcess(program, 'late', join(folder, 'late'))
  t.after(() => late.kill())
  await late.start(undefined, code)
  assert.equal(await late.run(['cat', 'files/honest']), 'honest')
})
