import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { bodyOf, PoolWorld, type PoolDevice } from '../../test/catalogue-fixture.ts'
import { received, WelcomeInMemory } from '../../test/welcome-in-memory.ts'
import { isCode, type ErrorCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { newSigningKey, signingKey } from '../codec/sign.ts'
import { checkWelcome, joinRequest, type Joining } from './invite.ts'
import { inviteText, parseInvite } from './invite-code.ts'
import { peerIdOf, peerKeyOf } from './peer-id.ts'
import type { WelcomeAnswer, WelcomePlace } from './welcome.ts'

const addresses = ['/ip4/127.0.0.1/tcp/8081']

async function founderOf(t: TestContext, seed: number): Promise<PoolDevice> {
  const world = new PoolWorld(seed)
  t.after(() => world.close())
  return await world.found()
}

function join(device: PoolDevice, code: string): Joining {
  const { random } = device.world
  return joinRequest(parseInvite(code), newSigningKey(random), 'joiner', random)
}

const refusedAs =
  (code: ErrorCode) =>
  (thrown: unknown): boolean =>
    isCode(thrown, code)

test('a PeerId is the text libp2p gives the key', () => {
  const key = Buffer.from('1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e', 'hex')
  assert.deepEqual(peerKeyOf(peerIdOf(key)), key)
  // As libp2p's own packages give it for this seed.
  const made = peerIdOf(signingKey(Buffer.alloc(32, 5)).publicKey)
  assert.equal(made, '12D3KooWHFd1gyNYFqxt7ke9FY2VoVVWY2XSPhvL9vg2pB6wQGfa')
  for (const wrong of ['', 'x', 'Qm'.padEnd(46, 'a'), made.slice(1), `${made}1`, '0'.repeat(52)])
    assert.throws(() => peerKeyOf(wrong), refusedAs('BAD_ID'))
})

test('a code survives pasting and no mistyped letter', async (t) => {
  const founder = await founderOf(t, 1)
  const { code, link } = await founder.invites.create('device', addresses)
  const invite = parseInvite(code)
  assert.deepEqual(parseInvite(link), invite)
  assert.deepEqual(parseInvite(` ${code.slice(0, 40)}\n  ${code.slice(40)} `), invite)
  assert.equal(invite.pool, founder.catalogue.pool)
  assert.equal(invite.peer, founder.catalogue.peer)
  assert.deepEqual(invite.addresses, [`${addresses[0]}/p2p/${founder.catalogue.peer}`])
  assert(code.length < 250, `${code.length} letters`)
  for (let at = 0; at < code.length; at++) {
    const wrong = `${code.slice(0, at)}${code[at] === 'x' ? 'y' : 'x'}${code.slice(at + 1)}`
    assert.throws(() => parseInvite(wrong), refusedAs('INVITE_INVALID'))
    assert.throws(() => parseInvite(code.slice(0, at)), refusedAs('INVITE_INVALID'))
  }
  for (const wrong of ['', '0OIl', 'x'.repeat(limits.inviteText + 1)])
    assert.throws(() => parseInvite(wrong), refusedAs('INVITE_INVALID'))
})

test('the same request gets the same answer; another one is refused', async (t) => {
  const founder = await founderOf(t, 2)
  const { code } = await founder.invites.create('device', addresses)
  const joining = join(founder, code)
  const first = await received(await founder.invites.redeem(joining.request))
  await founder.put('in between.txt')
  const again = await received(await founder.invites.redeem(joining.request))
  assert.deepEqual(again, first)
  assert.equal(founder.catalogue.devices().length, 3)
  await assert.rejects(founder.invites.redeem(join(founder, code).request), refusedAs('INVITE_USED'))
  await founder.world.clock.advance(limits.inviteLifeMs)
  await assert.rejects(founder.invites.redeem(joining.request), refusedAs('INVITE_EXPIRED'))
})

test('two joiners race for one code: one wins', async (t) => {
  const founder = await founderOf(t, 3)
  const { code } = await founder.invites.create('device', addresses)
  const joiners = [join(founder, code), join(founder, code)]
  const results = await Promise.allSettled(joiners.map(({ request }) => founder.invites.redeem(request)))
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  assert.equal(founder.catalogue.devices().length, 3)
})

test('a code without its secret, withdrawn, or of another kind is refused', async (t) => {
  const founder = await founderOf(t, 4)
  const { code, id } = await founder.invites.create('storage', addresses)
  const invite = parseInvite(code)
  const altered = [
    { ...invite, secret: founder.world.random.bytes(16) },
    { ...invite, kind: 'device' as const },
    { ...invite, inviter: 'ab'.repeat(32) as typeof invite.inviter },
    { ...invite, pool: 'cd'.repeat(32) as typeof invite.pool },
  ]
  for (const wrong of altered)
    await assert.rejects(
      founder.invites.redeem(join(founder, inviteText(wrong).code).request),
      refusedAs('INVITE_REFUSED'),
    )
  assert.equal(founder.catalogue.devices().length, 2)
  await founder.invites.withdraw(id)
  await assert.rejects(founder.invites.redeem(join(founder, code).request), refusedAs('INVITE_REFUSED'))
})

test('every byte of a request and of an answer is checked', async (t) => {
  const founder = await founderOf(t, 5)
  const { code } = await founder.invites.create('device', addresses)
  const joining = join(founder, code)
  for (let at = 0; at < joining.request.length; at += 7) {
    const wrong = Buffer.from(joining.request)
    wrong[at]! ^= 1
    await assert.rejects(founder.invites.redeem(wrong))
  }
  const answer = await received(await founder.invites.redeem(joining.request))
  const check = (joining: Joining, given: WelcomeAnswer) =>
    checkWelcome(joining, given, new WelcomeInMemory())
  await check(joining, answer)
  for (let at = 0; at < answer.head.length; at += 3) {
    const head = Buffer.from(answer.head)
    head[at]! ^= 1
    await assert.rejects(check(joining, { ...answer, head }))
  }
  const refused = refusedAs('INVITE_REFUSED')
  const { batches } = answer
  for (const wrong of [
    batches.slice(1),
    batches.slice(0, -1),
    [...batches, batches[1]!],
    batches.toReversed(),
  ])
    await assert.rejects(check(joining, { ...answer, batches: wrong }), refused)
  await assert.rejects(check(join(founder, code), answer), refused, 'for another request')
})

test('storage-only devices, and codes of other inviters, are not redeemed', async (t) => {
  const founder = await founderOf(t, 6)
  const box = await founder.invite('storage', 'box')
  await assert.rejects(box.invites.create('device', addresses), refusedAs('FORBIDDEN'))
  const phone = await founder.invite('device', 'phone')
  const { code } = await founder.invites.create('device', addresses)
  await assert.rejects(phone.invites.redeem(join(founder, code).request), refusedAs('INVITE_REFUSED'))
  await assert.rejects(founder.invites.create('person', addresses), refusedAs('NOT_HERE'))
})

test('when the founder is lost, the second device invites, revokes and writes', async (t) => {
  const founder = await founderOf(t, 7)
  const { world } = founder
  await founder.put('old.txt')
  const phone = await founder.invite('device', 'phone')
  const fallen = await phone.catalogue.revoke([founder.id])
  assert.deepEqual(
    fallen.map(({ device }) => device),
    [founder.id],
  )
  const tablet = await phone.invite('device', 'tablet')
  await tablet.put('new.txt')
  await world.sync([phone, tablet])
  for (const device of [phone, tablet]) assert(device.shown('old.txt') && device.shown('new.txt'))
  assert.equal(phone.catalogue.roleOf(founder.catalogue.peer), 'ex-member')
  assert.equal(tablet.catalogue.roleOf(tablet.catalogue.peer), 'admin')
})

test('the founder is lost and revoked: the second device invites, and its answer can be judged', async (t) => {
  const founder = await founderOf(t, 11)
  const second = await founder.invite()
  // Records after the last one of authority: the cut keeps a head that lies beyond it.
  await founder.put('last words.txt')
  await founder.world.sync()
  await second.catalogue.revoke([founder.catalogue.device])
  const third = await second.invite()
  await founder.world.sync([second, third])
  assert.ok(third.shown('last words.txt'))
  assert.equal(third.catalogue.roleOf(second.catalogue.peer), 'admin')
  assert.equal(third.catalogue.roleOf(founder.catalogue.peer), 'ex-member')
})

test('a welcome is taken in while it arrives: little of it is in memory', async (t) => {
  const founder = await founderOf(t, 12)
  for (let n = 0; n < 24; n++) {
    const bodies = Array.from({ length: 128 }, (_, index) => ({
      ...bodyOf(`${n}-${index}.txt`),
      description: 'd'.repeat(2000),
    }))
    const versions = bodies.map((body) => ({ folder: founder.files, parents: [], body, chunks: [] }))
    await founder.catalogue.write(versions)
  }
  const { code } = await founder.invites.create('device', addresses)
  const joining = join(founder, code)
  const { head, batches } = await founder.invites.redeem(joining.request)
  const place = new WelcomeInMemory()
  let sent = 0
  let open = 0
  let most = 0
  async function* arriving(): AsyncGenerator<Uint8Array> {
    for await (const batch of batches) {
      sent += batch.length
      open += batch.length
      most = Math.max(most, open)
      yield batch
    }
  }
  const taking: WelcomePlace = {
    read: place.read,
    commit: async (group) => {
      await place.commit(group)
      for (const { bytes } of group.batches) open -= bytes.length
    },
  }
  await checkWelcome(joining, { head, batches: arriving() }, taking)
  assert.equal(open, 0)
  assert.ok(sent > 5 * 1024 * 1024 && most < 3 * 1024 * 1024, `${most} of ${sent} bytes`)
})
