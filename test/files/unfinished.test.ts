/** What uploads that end without a version leave: nothing, and never at the cost of another file. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import test, { type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Peer } from '../../src/peer/peer.ts'
import { contentOf, eventually, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const MiB = 2 ** 20
const used = async (peer: Peer): Promise<number> => (await peer.status()).storage.used
const start = async (t: TestContext, settings = {}): Promise<Peer> =>
  startPeer(t, { home: await temporaryFolder(t), settings })

/** Gives `content`, then waits for `end`, then fails: a client that goes away. */
async function* brokenSource(content: Buffer, end: Promise<void> = Promise.resolve()) {
  for (let at = 0; at < content.length; at += 65_536) yield Uint8Array.from(content.subarray(at, at + 65_536))
  await end
  throw Object.assign(new Error('the client went away'), { code: 'ECONNRESET' })
}

test('a client that goes away leaves nothing, after checkpoints and before the first', async (t) => {
  const p = await start(t)
  await p.files.put('files/other', sourceOf(randomBytes(2 * MiB)))
  const before = await used(p)
  for (const size of [100_000, 3 * MiB, 70 * MiB])
    await assert.rejects(p.files.put('files/broken', brokenSource(randomBytes(size))))
  assert.equal(await used(p), before)
  assert.deepEqual((await p.files.list('files')).entries.length, 1)
})

test('a contribution that fills under an upload of unknown length is free again', async (t) => {
  const p = await start(t, { contribute: 20 * MiB })
  await assert.rejects(p.files.put('files/large', sourceOf(randomBytes(30 * MiB))), { code: 'QUOTA_FULL' })
  assert.ok((await used(p)) < MiB)
  const content = randomBytes(15 * MiB)
  await p.files.put('files/fits', sourceOf(content))
  assert.ok((await contentOf(p, 'files/fits')).equals(content))
})

test('a file of the same content, put meanwhile or before, keeps its chunks', async (t) => {
  const p = await start(t)
  const content = randomBytes(12 * MiB)
  const gate = Promise.withResolvers<void>()
  const broken = p.files.put('files/broken', brokenSource(content, gate.promise)).catch(() => 'broken')
  await eventually('its chunks are written', async () => (await used(p)) > 6 * MiB)
  await p.files.put('files/whole', sourceOf(content))
  gate.resolve()
  assert.equal(await broken, 'broken')
  assert.ok((await contentOf(p, 'files/whole')).equals(content))
  const before = await used(p)
  await assert.rejects(p.files.put('files/again', brokenSource(content)))
  assert.equal(await used(p), before)
  assert.ok((await contentOf(p, 'files/whole')).equals(content))
})

test('two uploads of one content at once: the space is free when both have failed', async (t) => {
  const p = await start(t)
  const content = randomBytes(12 * MiB)
  const before = await used(p)
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const puts = gates.map((gate, index) =>
    p.files.put(`files/${index}`, brokenSource(content, gate.promise)).catch(() => 'broken'),
  )
  await eventually('the chunks are written', async () => (await used(p)) > before + 6 * MiB)
  gates[0]!.resolve()
  await puts[0]
  assert.ok((await used(p)) > before + 6 * MiB)
  gates[1]!.resolve()
  await puts[1]
  assert.equal(await used(p), before)
})

test('failing and whole uploads of few contents at once: every whole one is read back', async (t) => {
  const p = await start(t)
  const contents = Array.from({ length: 3 }, () => randomBytes(700_000))
  const whole = new Map<string, Buffer>()
  const lane = async (lane: number): Promise<void> => {
    for (let n = 0; n < 12; n++) {
      const content = contents[(lane + n) % contents.length]!
      const path = `files/${lane}-${n}`
      if ((lane + n) % 2 === 0) await p.files.put(path, brokenSource(content)).catch(() => undefined)
      else {
        await p.files.put(path, sourceOf(content))
        whole.set(path, content)
      }
    }
  }
  await Promise.all([0, 1, 2, 3, 4, 5].map((n) => lane(n)))
  assert.equal(whole.size, 36)
  for (const [path, content] of whole) assert.ok((await contentOf(p, path)).equals(content), path)
})

test('what a killed process left is free after the next start, what it acknowledged is not', async (t) => {
  const home = await temporaryFolder(t)
  const kept = await startPeer(t, { home })
  const content = randomBytes(3 * MiB)
  await kept.files.put('files/kept', sourceOf(content))
  const before = await used(kept)
  await kept.stop()
  await killDuringUpload(home)
  const p = await startPeer(t, { home })
  await eventually('the space is free', async () => (await used(p)) === before)
  assert.ok((await contentOf(p, 'files/kept')).equals(content))
  await p.files.put('files/more', text('more'))
})

/** A peer in a process of its own, killed when it has written 40 MiB of a file without end. */
async function killDuringUpload(home: string): Promise<void> {
  const program = fileURLToPath(new URL('endless-upload.ts', import.meta.url))
  const child = spawn(process.execPath, [program, home], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  assert.equal(signal, 'SIGKILL')
}

test('what an upload left on another device is not brought back by it', async (t) => {
  const p = await start(t)
  const { code } = await p.pool.invite({ storageOnly: false })
  const other = await startPeer(t, { home: await temporaryFolder(t), join: code })
  await p.files.put('files/kept', text('kept'))
  const before = await used(p)
  const gate = Promise.withResolvers<void>()
  const broken = p.files.put('files/broken', brokenSource(randomBytes(70 * MiB), gate.promise))
  await eventually('the other device has copies', async () => (await used(other)) > 20 * MiB)
  gate.resolve()
  await assert.rejects(broken)
  await eventually('the space is free', async () => (await used(p)) === before)
  // It wants two copies of what it has, and offers them.
  await eventually('the other device has looked at its chunks', () =>
    /have fewer copies/.test(other.workers().find(({ name }) => name === 'repair')!.status),
  )
  assert.equal(await used(p), before)
})
