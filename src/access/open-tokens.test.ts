import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { silentLog } from '../base/log.ts'
import { systemRandom } from '../base/random.ts'
import type { OwnKind, OwnState } from '../store/store.ts'
import { openTokens } from './open-tokens.ts'
import type { Tokens } from './tokens.ts'

/** Own rows in memory. */
class OwnRows implements OwnState {
  readonly rows = new Map<string, string>()
  get<T>(kind: OwnKind, id: string): T | undefined {
    const row = this.rows.get(`${kind} ${id}`)
    return row === undefined ? undefined : (JSON.parse(row) as T)
  }
  list<T>(kind: OwnKind): { id: string; value: T }[] {
    return [...this.rows]
      .filter(([name]) => name.startsWith(`${kind} `))
      .map(([name, row]) => ({ id: name.slice(kind.length + 1), value: JSON.parse(row) as T }))
  }
  count(kind: OwnKind): number {
    return this.list(kind).length
  }
  put(kind: OwnKind, id: string, value: unknown): Promise<void> {
    this.rows.set(`${kind} ${id}`, JSON.stringify(value))
    return Promise.resolve()
  }
  remove(kind: OwnKind, id: string): Promise<void> {
    this.rows.delete(`${kind} ${id}`)
    return Promise.resolve()
  }
}

const serverKey = Buffer.alloc(32, 7)

const open = (own: OwnRows, clock: ManualClock): Tokens =>
  openTokens({ own, clock, random: systemRandom, log: silentLog, serverKey })

function make(): { tokens: Tokens; own: OwnRows; clock: ManualClock } {
  const own = new OwnRows()
  const clock = new ManualClock()
  return { own, clock, tokens: open(own, clock) }
}

const forbidden = (thrown: unknown): boolean => isCode(thrown, 'FORBIDDEN')

test('the launch token is admin, new at each start, and opens sessions', async () => {
  const { tokens, own, clock } = make()
  assert.equal(Buffer.from(tokens.launchToken, 'base64url').length, 32)
  assert.deepEqual(tokens.ofToken(tokens.launchToken)?.scopes, ['admin'])
  const cookie = await tokens.openSession(tokens.launchToken, 'a browser')
  assert.equal(tokens.ofSession(cookie)?.kind, 'session')
  const again = open(own, clock)
  assert.equal(again.ofToken(tokens.launchToken), undefined)
  assert.equal(again.ofSession(cookie)?.kind, 'session')
  await assert.rejects(again.openSession(tokens.launchToken, ''), (thrown) => isCode(thrown, 'NOT_SIGNED_IN'))
  await clock.advance(limits.sessionLifeMs)
  assert.equal(again.ofSession(cookie), undefined)
})

test('only hashes are stored', async () => {
  const { tokens, own } = make()
  const { token } = await tokens.create({ name: 'script', scopes: ['read'] })
  const cookie = await tokens.openSession(tokens.launchToken, 'a browser')
  const stored = JSON.stringify([...own.rows])
  for (const secret of [token, cookie, tokens.launchToken]) {
    assert.equal(stored.includes(secret), false)
    assert.equal(stored.includes(Buffer.from(secret, 'base64url').toString('hex')), false)
  }
})

test('tokens end by revoking and by time, and unknown ones are nobody', async () => {
  const { tokens, clock } = make()
  const { id, token } = await tokens.create({ name: 'a', scopes: ['read'] })
  const short = await tokens.create({ name: 'b', scopes: ['read'], expiresMs: 1000 })
  assert.equal(tokens.ofToken(token)?.id, id)
  assert.equal(tokens.list().find((line) => line.id === id)?.lastUsed, '2026-01-01T00:00:00.000Z')
  await clock.advance(1000)
  assert.equal(tokens.ofToken(short.token), undefined)
  await tokens.revoke(id)
  assert.equal(tokens.ofToken(token), undefined)
  for (const wrong of ['', 'x', token.slice(1), `${token}x`]) assert.equal(tokens.ofToken(wrong), undefined)
})

test('a use that is noted while a token is revoked does not bring it back', async () => {
  const { tokens, own, clock } = make()
  const { id, token } = await tokens.create({
    name: 'a',
    scopes: ['read'],
    expiresMs: 10 * limits.lastUsedEveryMs,
  })
  const subject = tokens.ofToken(token)!
  assert.equal(tokens.stands(subject), true)
  await clock.advance(2 * limits.lastUsedEveryMs)
  const ended: string[] = []
  tokens.onEnded((each) => ended.push(each))
  const revoking = tokens.revoke(id)
  assert.equal(tokens.ofToken(token), undefined)
  await revoking
  assert.deepEqual([tokens.stands(subject), ended, own.list('token')], [false, [id], []])
  const short = await tokens.create({ name: 'b', scopes: ['read'], expiresMs: 1000 })
  const late = tokens.ofToken(short.token)!
  await clock.advance(1000)
  assert.equal(tokens.stands(late), false)
})

test('scopes include what they say and folders end at a part of the path', async () => {
  const { tokens } = make()
  const subject = async (scopes: ('read' | 'write' | 'admin' | 'metrics')[], folder?: string) =>
    tokens.ofToken((await tokens.create({ name: 'x', scopes, folder })).token)!
  const writer = await subject(['write'], 'files/photos/')
  tokens.require(writer, 'read', 'files/photos/a.jpg')
  tokens.require(writer, 'write', 'files/photos')
  for (const path of ['files/photos2', 'files', 'other/photos', undefined])
    assert.throws(() => tokens.require(writer, 'read', path), forbidden)
  assert.throws(() => tokens.require(writer, 'admin', 'files/photos'), forbidden)
  const reader = await subject(['read'])
  tokens.require(reader, 'read', 'anything')
  assert.throws(() => tokens.require(reader, 'write', 'anything'), forbidden)
  const watcher = await subject(['metrics'])
  tokens.require(watcher, 'metrics')
  assert.throws(() => tokens.require(watcher, 'read', 'files'), forbidden)
  for (const scope of ['read', 'write', 'admin', 'metrics'] as const)
    tokens.require(await subject(['admin']), scope)
})

test('the number of sessions is bounded: the least used ends', async () => {
  const { tokens, clock } = make()
  const first = await tokens.openSession(tokens.launchToken, 'first')
  for (let i = 0; i < limits.sessions; i++) {
    await clock.advance(1)
    await tokens.openSession(tokens.launchToken, `browser ${i}`)
  }
  assert.equal(tokens.sessions().length, limits.sessions)
  assert.equal(tokens.ofSession(first), undefined)
})

test('an S3 key pair signs for its token, in its scope and until it ends; its secret is stored nowhere', async () => {
  const { tokens, own, clock } = make()
  const made = await tokens.create({ name: 'b', scopes: ['write'], folder: 'f', expiresMs: 5000, s3: true })
  const { accessKeyId = '', secretAccessKey = '' } = made.keyPair ?? {}
  assert.equal(accessKeyId, made.id)
  assert.ok(![...own.rows.values()].some((row) => row.includes(secretAccessKey)))
  assert.equal(open(own, clock).ofS3Key(accessKeyId, scope)?.accepts('text', sign(secretAccessKey)), true)
  const signer = tokens.ofS3Key(accessKeyId, scope)
  assert.deepEqual(signer?.subject, { kind: 'token', id: made.id, scopes: ['write'], folder: 'f' })
  assert.equal(signer.accepts('texT', sign(secretAccessKey)), false)
  assert.equal(signer.accepts('text', sign(`${secretAccessKey}x`)), false)
  const tomorrow = { ...scope, day: '20261122' }
  assert.equal(tokens.ofS3Key(accessKeyId, tomorrow)?.accepts('text', sign(secretAccessKey)), false)
  const plain = await tokens.create({ name: 'plain', scopes: ['write'] })
  assert.equal(plain.keyPair, undefined)
  assert.equal(tokens.ofS3Key(plain.id, scope), undefined)
  await clock.advance(5000)
  assert.equal(tokens.ofS3Key(accessKeyId, scope), undefined)
})

const scope = { day: '20261121', region: 'us-east-1' }

/** Signature version 4 of `text`, as its specification says. */
function sign(secret: string): string {
  const hmac = (key: string | Buffer, part: string): Buffer => createHmac('sha256', key).update(part).digest()
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, scope.day), scope.region), 's3'), 'aws4_request')
  return hmac(key, 'text').toString('hex')
}
