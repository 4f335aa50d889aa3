import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PoolWorld, type PoolDevice } from '../../test/catalogue-fixture.ts'
import { received } from '../../test/welcome-in-memory.ts'
import { checkWelcome, joinRequest, type Joining } from '../access/invite.ts'
import { parseInvite } from '../access/invite-code.ts'
import { silentLog } from '../base/log.ts'
import { systemRandom } from '../base/random.ts'
import { newSigningKey } from '../codec/sign.ts'
import { framed } from '../net/framing.ts'
import type { Network } from '../net/network.ts'
import { realDisk } from '../store/real-disk.ts'
import { taken, type Joined, type JoinParts } from './join.ts'

/** An inviter's answer, and a joiner's home to take it in. */
async function scene(t: TestContext, seed: number) {
  const world = new PoolWorld(seed)
  const founder = await world.found()
  for (let n = 0; n < 300; n++) await founder.put(`${n}.txt`)
  const home = await mkdtemp(join(tmpdir(), 'peerstor-welcome-'))
  t.after(async () => {
    await world.close()
    await rm(home, { recursive: true, force: true })
  })
  const { code } = await founder.invites.create('device', [])
  const joining = joinRequest(parseInvite(code), newSigningKey(world.random), 'phone', world.random)
  const answer = await received(await founder.invites.redeem(joining.request))
  return { founder, home, joining, answer }
}

/** Takes an answer's parts as they would arrive over the network. */
async function take(
  { founder, home, joining }: { founder: PoolDevice; home: string; joining: Joining },
  head: Uint8Array,
  body: AsyncIterable<Uint8Array>,
): Promise<Pick<Joined, 'keys' | 'welcome'>> {
  const parts: JoinParts = {
    home,
    network: { peer: founder.catalogue.peer } as Pick<Network, 'peer'> as Network,
    peerKey: joining.secrets.peer,
    name: 'phone',
    bootstrap: [],
    clock: founder.world.clock,
    random: systemRandom,
    disk: realDisk,
    log: silentLog,
  }
  return await taken(parts, joining.invite.pool, { head, body }, (given, place) =>
    checkWelcome(joining, given, place),
  )
}

async function* each(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts
}

const bodyOf = (batches: readonly Uint8Array[]) => framed(each(batches))

test('a welcome lies on the disk until it is taken over, then nowhere', async (t) => {
  const all = await scene(t, 1)
  const { head, batches } = all.answer
  const { keys, welcome } = await take(all, head, bodyOf(batches))
  assert.equal(keys.pool, all.joining.invite.pool)
  assert.deepEqual(await readdir(join(all.home, 'tmp')), ['welcome'])
  const kept = await Array.fromAsync(welcome.batches())
  assert.deepEqual(
    kept.map((batch) => Buffer.from(batch)),
    batches.map((batch) => Buffer.from(batch)),
  )
  await welcome.remove()
  assert.deepEqual(await readdir(join(all.home, 'tmp')), [])
})

test('of an answer that is refused or breaks off nothing is left, and its connection is let go', async (t) => {
  const all = await scene(t, 2)
  const { head, batches } = all.answer
  const wrongHead = Buffer.from(head)
  wrongHead[wrongHead.length - 1]! ^= 1
  const whole = Buffer.concat(await Array.fromAsync(bodyOf(batches)))
  const cases: [string, Uint8Array, Uint8Array][] = [
    ['another MAC', wrongHead, whole],
    ['a record too few', head, Buffer.concat(await Array.fromAsync(bodyOf(batches.slice(0, -1))))],
    ['no batches', head, Buffer.concat(await Array.fromAsync(bodyOf([Buffer.alloc(3000, 7)])))],
    ['too long a batch', head, Buffer.alloc(4096, 0xff)],
    ['a break in the middle', head, whole.subarray(0, whole.length - 100)],
  ]
  for (const [name, answerHead, bytes] of cases) {
    let released = false
    async function* arriving(): AsyncGenerator<Uint8Array> {
      try {
        for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
      } finally {
        released = true
      }
    }
    const body = arriving()
    await assert.rejects(take(all, answerHead, body), name)
    // What was never read holds nothing; what was begun is let go.
    assert.ok(released || (await body.next()).done === true, name)
    assert.deepEqual(await readdir(join(all.home, 'tmp')), [], name)
  }
})
