/** `scrub` on whole peers: what a rotten byte does to a file that others have too, and to one that nobody else has. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { runToEnd } from '../../src/cli/peer-process.ts'
import type { Peer, ScrubAnswer } from '../../src/peer/peer.ts'
import { Peers } from '../network/peers.ts'
import { contentOf, eventually, sourceOf, startPeer, temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

const content = randomBytes(600_000)
const path = 'files/photo.bin'

/** Turns a byte in the middle of the only segment: of the file's content. */
async function rot(home: string): Promise<void> {
  const [segment] = (await readdir(join(home, 'segments'))).filter((name) => name.endsWith('.log'))
  const file = await open(join(home, 'segments', segment!), 'r+')
  const at = Math.floor((await file.stat()).size / 2)
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte[0]! ^= 0xff
  await file.write(byte, 0, 1, at)
  await file.close()
}

async function verified(peer: Peer): Promise<string | undefined> {
  const self = (await peer.status()).peer
  const { copies } = await peer.files.info(path)
  return copies.holders.find(({ peer }) => peer === self)?.verified
}

test('a rotten chunk is found by scrub and replaced by a good copy', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await startPeer(t, { home: join(folder, 'first') })
  const { code } = await first.pool.invite({ storageOnly: false })
  const second = await startPeer(t, { home: join(folder, 'second'), join: code })
  await first.files.put(path, sourceOf(content))
  await eventually(
    'the second device has a copy',
    async () => (await second.files.info(path).catch(() => undefined))?.copies.have === 2,
    120_000,
  )
  assert.equal(await verified(second), undefined)
  const clean = await second.scrub(path)
  assert.deepEqual([clean.damaged, clean.left], [0, []])
  await rot(join(folder, 'second'))
  const alarms: unknown[] = []
  t.after(
    second.events(undefined, ({ event }) => {
      if (event.type === 'alarm') alarms.push(event.data.kind)
    }),
  )
  const found = await second.scrub('files')
  assert.deepEqual([found.damaged, found.healed, found.left], [1, 1, []])
  assert.deepEqual(alarms, ['damage'])
  const whole = await second.scrub()
  assert.deepEqual([whole.damaged, whole.left], [0, []])
  assert.ok(whole.bytes > content.length)
  assert.ok(Date.parse((await verified(second))!) > 0)
  assert.ok((await contentOf(second, path)).equals(content))
  assert.match(second.metrics().prometheus(), /^peerstor_scrub_healed_total 1$/m)
  await assert.rejects(second.scrub('files/nothing'), { code: 'NOT_FOUND' })
})

test('a storage-only device is scrubbed at the word of another, and info tells when each copy was read', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await startPeer(t, { home: join(folder, 'first') })
  const { code } = await first.pool.invite({ storageOnly: true })
  const home = join(folder, 'nas')
  const nas = await startPeer(t, { home, join: code, settings: { name: 'nas' } })
  const { peer } = await nas.status()
  await first.files.put(path, sourceOf(content))
  const copies = async (): ReturnType<Peer['files']['info']> => first.files.info(path)
  await eventually('two copies', async () => (await copies()).copies.have === 2, 120_000)
  const [before] = (await copies()).copies.holders.filter((holder) => holder.peer === peer)
  assert.deepEqual([before?.state, before?.verified, before?.left], ['online', undefined, 1])
  await rot(home)
  const found = await first.scrubDevice(peer)
  assert.deepEqual([found.damaged, found.healed, found.left], [1, 1, []])
  assert.ok(found.bytes > content.length)
  // What it fetched in place of the damaged chunk was not read from its disk yet.
  assert.equal((await first.scrubDevice(peer)).damaged, 0)
  const after = (await copies()).copies
  const there = after.holders.find((holder) => holder.peer === peer)
  assert.ok(Date.parse(there?.verified ?? '') > 0)
  assert.match(
    after.statement,
    /^2 of 2 wanted copies, one on each device; the folder asks for 3: peerstor invite$/,
  )
  await assert.rejects(first.scrubDevice('nobody'), { code: 'DEVICE_UNKNOWN' })
  await nas.stop()
  const away = (await copies()).copies.holders.find((holder) => holder.peer === peer)
  assert.equal(away?.verified, undefined)
})

test('the command exits with 1 while the only copy is damaged, and tells of the file', async (t) => {
  const peers = await Peers.make(t)
  const peer = await peers.started('laptop')
  const scrub = async (...args: string[]): Promise<{ code: number | null; found: ScrubAnswer }> => {
    const { code, stdout, stderr } = await runToEnd(program, [
      'scrub',
      ...args,
      '--home',
      peer.home,
      '--json',
    ])
    assert.ok(stdout.startsWith('{'), stderr)
    return { code, found: JSON.parse(stdout) as ScrubAnswer }
  }
  const source = join(peers.folder, 'photo.bin')
  await (await open(source, 'w')).writeFile(content)
  await peer.json(['put', source])
  assert.equal((await scrub()).code, 0)
  await rot(peer.home)
  const bad = await scrub()
  assert.deepEqual([bad.code, bad.found.damaged, bad.found.healed, bad.found.left], [1, 1, 0, [path]])
  assert.equal((await scrub('files')).code, 1)
  const { safety, warnings } = await peer.json<{ safety: { lost: number }; warnings: string[] }>(['status'])
  assert.equal(safety.lost, 1)
  assert.match(warnings.join('\n'), /1 chunk on this disk is damaged \(files\/photo\.bin\)/)
  // The same file put again is the good copy.
  await peer.json(['put', source])
  const again = await scrub(path)
  assert.deepEqual([again.code, again.found.damaged], [0, 0])
})
