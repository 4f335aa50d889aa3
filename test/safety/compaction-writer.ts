/**
 * A peer in a process of its own that has uploads fail all the time, so that its segments die and are
 * compacted all the time, until it is killed. Lines on stdout: one for each acknowledged
 * file and each number of segments compacted so far. With a list of files it reads them all instead and
 * tells how long its start took. Run it with `--import test/safety/small-segments.ts`.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { limits } from '../../src/base/limits.ts'
import { createPeer } from '../../src/peer/create-peer.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { contentOf, eventually } from '../peer-fixture.ts'
import { contentFor, settings } from './peer-writer.ts'

const sizes = [10, 3_000, 70_000, 300_000]

async function* sourceOf(content: Buffer, broken: boolean): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += 100_000)
    yield Uint8Array.from(content.subarray(at, at + 100_000))
  if (broken) throw Object.assign(new Error('the client went away'), { code: 'ECONNRESET' })
}

const tell = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`)

async function write(peer: Peer, round: string, lane: number): Promise<never> {
  for (let number = 0; ; number++) {
    const path = `files/round-${round}/${lane}/${number}`
    const size = sizes[(lane + number) % sizes.length]!
    await peer.files.put(path, sourceOf(contentFor(path, size), false))
    tell({ path, size })
  }
}

/** What it writes is dropped again; tells how many segments were compacted, and stays close to that. */
async function fail(peer: Peer): Promise<never> {
  const compacted = (): number =>
    Number.parseInt(peer.workers().find(({ name }) => name === 'compact')!.status)
  for (let number = 1; ; number++) {
    await peer.files.put('files/broken', sourceOf(randomBytes(4_000_000), true)).catch(() => undefined)
    for (let waits = 0; compacted() < number * 2 && waits < 20; waits++) await wait(50)
    tell({ compacted: compacted() })
  }
}

/** Everything listed is there, and the disk has back what died. */
async function read(peer: Peer, list: string, home: string): Promise<void> {
  for (const [path, size] of JSON.parse(await readFile(list, 'utf8')) as [string, number][])
    assert.ok((await contentOf(peer, path)).equals(contentFor(path, size)), `${path} differs`)
  const { used } = (await peer.status()).storage
  const room = 2 * used + 6 * limits.segmentBytes
  await eventually('the disk has its space back', async () => (await bytesIn(home)) < room)
}

async function bytesIn(home: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(join(home, 'segments')))
    bytes += await stat(join(home, 'segments', name)).then(
      ({ size }) => size,
      () => 0,
    )
  return bytes
}

const [home, round, list] = process.argv.slice(2)
if (import.meta.main && home !== undefined && round !== undefined) {
  const startedAt = performance.now()
  const peer = await createPeer({
    home,
    settings,
    onLog: () => undefined,
  })
  await peer.start()
  const startMs = performance.now() - startedAt
  flushCompileCache()
  if (list === undefined) await Promise.all([write(peer, round, 0), write(peer, round, 1), fail(peer)])
  else {
    await read(peer, list, home)
    await peer.stop()
    tell({ startMs })
  }
}
