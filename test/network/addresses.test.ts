/** How devices find each other again and again, with real processes. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PeerProcess } from '../../src/cli/peer-process.ts'
import { connectedTo, eventually, numbered, Peers, safeFiles } from './peers.ts'

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
  await b!.start()
  await c!.run(['put', file, '--to', 'files/from-c'])
  await eventually('b has it', async () => (await copiesOf(b!, 'files/from-c')) >= 2)
  await a!.start()
  for (const peer of [a!, b!, c!]) await connectedTo(peer, 3)
  await safeFiles(a!, 2)
})

/** 0 as long as it is not listed. */
async function copiesOf(peer: PeerProcess, path: string): Promise<number> {
  const info = await peer.json<{ copies: { have: number } }>(['info', path]).catch(() => undefined)
  return info?.copies.have ?? 0
}
