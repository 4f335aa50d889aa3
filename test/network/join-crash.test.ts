/** Joining, killed on the way: a device has joined or it has not, and the same code goes on until it has. */
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { PeerProcess } from '../../src/cli/peer-process.ts'
import {
  codeOf,
  connectedTo,
  devicesOf,
  eventually,
  isThere,
  makeTree,
  numbered,
  peersOf,
  Peers,
  safeFiles,
  statusOf,
  treeOf,
} from './peers.ts'

const withMdns: string[] = []

/** Files of the joiner that appear one after the other, and how long after each it is killed. */
const stages = [
  ['keys/joining.json', 0],
  ['keys/joining.json', 30],
  ['segments/seg-00000001.log', 0],
  ['keys/pool.json', 0],
  ['keys/pool.json', 20],
] as const

test('a joiner killed at any stage joins with the same code, once', async (t) => {
  const peers = await Peers.make(t)
  const a = await peers.started('a')
  for (const [index, [file, afterMs]] of stages.entries()) {
    const b = peers.peer(`b${index}`)
    const code = await codeOf(a)
    const first = b.start(undefined, code).then(
      () => 'ready',
      () => 'killed',
    )
    await appeared(join(b.home, file))
    await wait(afterMs)
    await b.kill()
    await first
    await b.start(undefined, code)
    await eventually('it is connected', async () =>
      (await peersOf(b)).some(({ state }) => state === 'online'),
    )
    const names = (await devicesOf(a)).filter(({ kind }) => kind === 'device').map(({ name }) => name)
    assert.deepEqual(names.toSorted(), ['a', ...Array.from({ length: index + 1 }, (_, n) => `b${n}`)], file)
    assert.equal(await isThere(join(b.home, 'keys/joining.json')), false)
    await b.stop()
  }
})

for (const afterMs of [0, 40, 120])
  test(`an inviter killed ${afterMs} ms after the request was made answers it when it is back`, async (t) => {
    const peers = await Peers.make(t)
    const a = await peers.started('a', withMdns)
    const b = peers.peer('b', withMdns)
    const code = await codeOf(a)
    const joining = b.start(undefined, code).then(
      () => true,
      () => false,
    )
    await appeared(join(b.home, 'keys/joining.json'))
    await wait(afterMs)
    await a.kill()
    await a.start()
    if (!(await joining)) await b.start(undefined, code)
    await connectedTo(a, 2)
    assert.equal((await devicesOf(a)).filter(({ kind }) => kind === 'device').length, 2)
  })

test('files that are brought along survive kills on the way', async (t) => {
  const peers = await Peers.make(t)
  const [a, b] = await Promise.all([peers.started('a'), peers.started('b')])
  const tree = join(peers.folder, 'tree')
  await makeTree(tree)
  await mkdir(join(tree, 'many'))
  for (let count = 0; count < 200; count += 1)
    await writeFile(join(tree, 'many', `${count}`), numbered(20_000 + count))
  await b.run(['put', '-r', tree])
  const { count } = (await statusOf(b)).files
  const joining = b.run(['join', await codeOf(a), '--bring-files']).catch(() => undefined)
  for (const part of [0.05, 0.3, 0.6]) {
    await eventually(`${part} of the files`, async () => (await filesOn(b)) > part * count)
    await b.kill()
    await b.start()
  }
  await joining
  await eventually(
    'nothing is left to bring',
    async () => {
      const { files, warnings } = await statusOf(b)
      return files.count === count && warnings.length === 0
    },
    40_000,
  )
  await safeFiles(a, count)
  const out = join(peers.folder, 'out')
  await a.run(['get', '-r', 'files/tree', '-o', out])
  assert.deepEqual(await treeOf(out), await treeOf(tree))
  assert.equal((await readdir(join(b.home, 'segments'))).length, 1)
  assert.equal(await isThere(join(b.home, 'keys/before/keys/pool.json')), false)
})

/** As its new pool counts; 0 while it changes pools. */
async function filesOn(peer: PeerProcess): Promise<number> {
  const status = await statusOf(peer).catch(() => undefined)
  return status?.pool.peers === 2 ? status.files.count : 0
}

async function appeared(path: string): Promise<void> {
  const until = performance.now() + 20_000
  while (!(await isThere(path))) {
    assert.ok(performance.now() < until, `${path} never appeared`)
    await wait(1)
  }
}
