/** Locks: what excludes what, when they end, and how many there may be. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { limits } from '../base/limits.ts'
import { systemRandom } from '../base/random.ts'
import { DavLocks, type Lock, type LockWish } from './dav-locks.ts'

function make(): {
  locks: DavLocks
  clock: ManualClock
  take: (wish: Partial<LockWish>) => Lock
} {
  const clock = new ManualClock()
  const locks = new DavLocks(clock, systemRandom)
  const usual = { path: 'f/a', deep: false, exclusive: true, owner: '', holder: 'me', timeoutMs: 60_000 }
  return { locks, clock, take: (wish) => locks.take({ ...usual, ...wish }) }
}

test('an exclusive lock suffers no other, shared ones suffer each other', () => {
  const { take } = make()
  take({ path: 'f/a', exclusive: false })
  take({ path: 'f/a', exclusive: false })
  assert.throws(() => take({ path: 'f/a' }), { code: 'LOCKED' })
  take({ path: 'f/b' })
  assert.throws(() => take({ path: 'f/b', exclusive: false }), { code: 'LOCKED' })
})

test('a deep lock covers what lies below, and is not taken over a locked member', () => {
  const { locks, take } = make()
  const deep = take({ path: 'f/x', deep: true })
  assert.deepEqual(locks.covering('f/x/y/z'), [deep])
  assert.deepEqual(locks.covering('f/xy'), [])
  assert.throws(() => take({ path: 'f/x/y' }), { code: 'LOCKED' })
  take({ path: 'f/y/z/member' })
  assert.throws(() => take({ path: 'f/y', deep: true }), { code: 'LOCKED' })
  take({ path: 'f/y' })
  assert.equal(locks.below('f/y').length, 1)
  assert.equal(locks.below('').length, 3)
  assert.throws(() => take({ path: '', deep: true }), { code: 'LOCKED' })
  locks.forget('f/y')
  locks.release(deep)
  take({ path: '', deep: true })
  assert.equal(locks.covering('any/thing').length, 1)
})

test('a lock ends by itself, later when it is refreshed, and never later than the limit', async () => {
  const { locks, clock, take } = make()
  const lock = take({ timeoutMs: 60_000 })
  await clock.advance(59_000)
  assert.equal(locks.secondsLeft(lock), 1)
  locks.refresh(lock, 10 * limits.davLockMs)
  assert.equal(locks.secondsLeft(lock), limits.davLockMs / 1000)
  await clock.advance(limits.davLockMs)
  assert.deepEqual(locks.covering('f/a'), [])
  take({})
})

test('one name in two normal forms is one place', () => {
  const { take } = make()
  take({ path: 'f/\u00FC' })
  assert.throws(() => take({ path: 'f/u\u0308' }), { code: 'LOCKED' })
})

test('10,000 locks: so many are kept as the limit says, and ended ones make room', async () => {
  const { locks, clock, take } = make()
  const taken = Array.from({ length: 10_000 }, (_, index) => {
    try {
      return take({ path: `f/${index}` })
    } catch (thrown) {
      assert.equal((thrown as { code?: string }).code, 'TOO_MANY')
      return undefined
    }
  })
  assert.equal(taken.filter((lock) => lock !== undefined).length, limits.davLocks)
  assert.equal(new Set(taken.map((lock) => lock?.token)).size, limits.davLocks + 1)
  await clock.advance(60_000)
  take({ path: 'f/new' })
  assert.equal(locks.below('f').length, 1)
})
