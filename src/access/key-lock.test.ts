import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { realClock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { openHomeKeys, sealHomeKeys } from '../codec/seal.ts'
import { newSigningKey } from '../codec/sign.ts'
import {
  encryptionKeysOf,
  loadPoolKeys,
  lockedKeys,
  lockKindOf,
  savePoolKeys,
  unlockPoolKeys,
  type PoolKeys,
} from './device-keys.ts'
import { newLock, type LockSecret } from './key-lock.ts'
import { newPool } from './new-pool.ts'

const passphrase = { passphrase: 'correct horse battery' }
const keyFile = { keyFile: Buffer.alloc(64, 7) }
const peer = newSigningKey(systemRandom)

async function lockedHome(t: TestContext, secret: LockSecret): Promise<{ home: string; keys: PoolKeys }> {
  const home = await mkdtemp(join(tmpdir(), 'peerstor-lock-'))
  t.after(() => rm(home, { recursive: true }))
  const keys = newPool(peer, realClock, systemRandom)
  await savePoolKeys(home, { ...keys, lock: await newLock(secret, systemRandom) }, systemRandom)
  return { home, keys }
}

for (const secret of [passphrase, keyFile])
  test(`keys sealed by a ${Object.keys(secret)[0]} come back whole, and without it show nothing`, async (t) => {
    const { home, keys } = await lockedHome(t, secret)
    const path = join(home, 'keys/pool.json')
    const text = await readFile(path, 'utf8')
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    for (const seed of [keys.secrets.record.seed, keys.secrets.encryption.seed, keys.recoverySeed!])
      for (const form of ['hex', 'base64', 'base64url'] as const)
        assert.equal(text.includes(Buffer.from(seed).toString(form)), false)
    const locked = (await loadPoolKeys(home, peer))!
    assert.equal(locked.locked, true)
    assert.equal(locked.recoverySeed, undefined)
    assert.equal(encryptionKeysOf(locked).size, 0)
    assert.deepEqual(locked.secrets.record.publicKey, keys.secrets.record.publicKey)
    assert.deepEqual(locked.genesis, keys.genesis)
    assert.throws(() => locked.secrets.record.sign('batch', locked.pool), { code: 'PEER_LOCKED' })
    assert.throws(() => locked.secrets.encryption.shared(Buffer.alloc(32, 9)), { code: 'PEER_LOCKED' })
    await assert.rejects(savePoolKeys(home, locked, systemRandom), { code: 'PEER_LOCKED' })
    const opened = await unlockPoolKeys(home, peer, secret)
    assert.deepEqual(opened.secrets.record.seed, keys.secrets.record.seed)
    assert.deepEqual(opened.secrets.encryption.seed, keys.secrets.encryption.seed)
    assert.deepEqual(opened.recoverySeed, keys.recoverySeed)
    assert.equal(lockedKeys(opened).recoverySeed, undefined)
    // Kept again without asking: sealed anew, with another salt.
    await savePoolKeys(home, { ...opened, recoverySeed: undefined }, systemRandom)
    assert.notEqual(await readFile(path, 'utf8'), text)
    assert.equal((await unlockPoolKeys(home, peer, secret)).recoverySeed, undefined)
  })

test('another passphrase, file or kind is refused, and so is a short one', async (t) => {
  const { home } = await lockedHome(t, passphrase)
  for (const wrong of [{ passphrase: 'correct horse batterz' }, keyFile])
    await assert.rejects(unlockPoolKeys(home, peer, wrong), { code: 'LOCK_WRONG' })
  await assert.rejects(newLock({ passphrase: 'short' }, systemRandom), { code: 'BAD_INPUT' })
  await assert.rejects(newLock({ keyFile: Buffer.alloc(31) }, systemRandom), { code: 'BAD_INPUT' })
  const other = await lockedHome(t, keyFile)
  await assert.rejects(unlockPoolKeys(other.home, peer, { keyFile: Buffer.alloc(64, 8) }), {
    code: 'LOCK_WRONG',
  })
  await assert.rejects(unlockPoolKeys(other.home, peer, passphrase), { code: 'LOCK_WRONG' })
  assert.equal(await lockKindOf(other.home), 'key file')
})

test('any changed byte of what is sealed, or of what it belongs to, is noticed', async (t) => {
  const key = Buffer.alloc(32, 1)
  const bound = Buffer.alloc(64, 2)
  const sealed = sealHomeKeys(systemRandom, key, bound, Buffer.from('secret'))
  assert.deepEqual(openHomeKeys(key, bound, sealed), Buffer.from('secret'))
  assert.equal(openHomeKeys(Buffer.alloc(32, 3), bound, sealed), undefined)
  assert.throws(() => openHomeKeys(key, Buffer.alloc(64, 4), sealed), { code: 'BAD_INPUT' })
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed)
    changed[at]! ^= 1
    let opened: Buffer | undefined
    try {
      opened = openHomeKeys(key, bound, changed)
    } catch {
      continue
    }
    assert.equal(opened, undefined, `byte ${at}`)
  }
  assert.throws(() => openHomeKeys(key, bound, sealed.subarray(0, 70)), { code: 'BAD_INPUT' })
  const { home, keys } = await lockedHome(t, keyFile)
  const path = join(home, 'keys/pool.json')
  const file = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  await writeFile(path, JSON.stringify({ ...file, pool: newPool(peer, realClock, systemRandom).pool }))
  await assert.rejects(unlockPoolKeys(home, peer, keyFile), { code: 'BAD_INPUT' })
  await writeFile(path, JSON.stringify({ ...file, format: 3 }))
  await assert.rejects(loadPoolKeys(home, peer), { code: 'FORMAT_UNKNOWN' })
  await savePoolKeys(home, keys, systemRandom)
  await assert.rejects(unlockPoolKeys(home, peer, keyFile), { code: 'LOCK_NONE' })
})
