/** A device that gives less space than a file needs passes it on: three real processes, the smallest of them written to. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { PeerProcess } from '../../src/cli/peer-process.ts'
import type { FileInfo, Peer, PutResult } from '../../src/peer/peer.ts'
import { eventually, temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

const MiB = 2 ** 20
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

type Quota = Awaited<ReturnType<Peer['quota']>>

test('a file larger than what a device gives is taken, and lies safe on the others', async (t) => {
  const folder = await temporaryFolder(t)
  const peer = (name: string, contribute: string): PeerProcess => {
    const made = new PeerProcess(program, name, join(folder, name), ['--contribute', contribute, '--no-mdns'])
    t.after(() => made.stop())
    return made
  }
  const [small, first, second] = [peer('small', '12MB'), peer('first', '1GB'), peer('second', '1GB')]
  await small.start()
  for (const other of [first, second]) {
    const { code } = await small.json<{ code: string }>(['invite'])
    await other.start(undefined, code)
  }
  const isMet = async (): Promise<boolean> => {
    const { peers } = await small.json<{ peers: { state: string }[] }>(['peers'])
    return peers.filter(({ state }) => state === 'online').length === 2
  }
  await eventually('all are connected', isMet, 60_000)
  const bytes = randomBytes(30 * MiB)
  const file = join(folder, 'large.bin')
  await writeFile(file, bytes)
  const put = await small.json<PutResult>(['put', file])
  assert.equal(put.size, bytes.length)
  const { used, contributed } = await small.json<Quota>(['quota'])
  assert.ok(used <= contributed, `${used} of ${contributed} used`)
  const info = await small.json<FileInfo>(['info', 'files/large.bin'])
  assert.ok(info.copies.have >= 2, `${info.copies.have} copies`)

  const copy = join(folder, 'copy.bin')
  await small.json(['get', 'files/large.bin', '-o', copy])
  assert.equal(sha256(await readFile(copy)), sha256(bytes))
  await small.kill()
  await first.json(['get', 'files/large.bin', '-o', `${copy}2`])
  assert.equal(sha256(await readFile(`${copy}2`)), sha256(bytes))
})
