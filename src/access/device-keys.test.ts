import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { realClock } from '../base/clock.ts'
import { isCode } from '../base/errors.ts'
import { systemRandom } from '../base/random.ts'
import { loadPeerKey, loadPoolKeys, removePoolKeys, savePoolKeys } from './device-keys.ts'
import { newPool } from './new-pool.ts'

async function homeOf(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'peerstor-keys-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  return home
}

test('the libp2p key stays for life, the keys of the pool until it is left', async (t) => {
  const home = await homeOf(t)
  const peer = await loadPeerKey(home, systemRandom)
  assert.deepEqual((await loadPeerKey(home, systemRandom)).publicKey, peer.publicKey)
  assert.equal(await loadPoolKeys(home, peer), undefined)
  const keys = newPool(peer, realClock, systemRandom)
  await savePoolKeys(home, keys, systemRandom)
  const read = (await loadPoolKeys(home, peer))!
  assert.equal(read.pool, keys.pool)
  assert.deepEqual(read.secrets.record.publicKey, keys.secrets.record.publicKey)
  assert.deepEqual(read.secrets.encryption.publicKey, keys.secrets.encryption.publicKey)
  assert.deepEqual(read.poolSecret, keys.poolSecret)
  assert.deepEqual(read.recoverySeed, keys.recoverySeed)
  assert.deepEqual(read.genesis.map(String), keys.genesis.map(String))
  await removePoolKeys(home)
  assert.equal(await loadPoolKeys(home, peer), undefined)
})

test('key files are for their owner alone, and nothing else is left beside them', async (t) => {
  if (process.platform === 'win32') return t.skip('Windows has no such modes')
  const home = await homeOf(t)
  const peer = await loadPeerKey(home, systemRandom)
  await savePoolKeys(home, newPool(peer, realClock, systemRandom), systemRandom)
  await savePoolKeys(home, newPool(peer, realClock, systemRandom), systemRandom)
  const names = await readdir(join(home, 'keys'))
  assert.deepEqual(names.sort(), ['peer.key', 'pool.json'])
  for (const name of names) assert.equal((await stat(join(home, 'keys', name))).mode & 0o777, 0o600)
  assert.equal((await stat(join(home, 'keys'))).mode & 0o777, 0o700)
})

test('a damaged or newer key file is named without its content', async (t) => {
  const home = await homeOf(t)
  const peer = await loadPeerKey(home, systemRandom)
  const keys = newPool(peer, realClock, systemRandom)
  await savePoolKeys(home, keys, systemRandom)
  const path = join(home, 'keys', 'pool.json')
  const text = await readFile(path, 'utf8')
  const seed = Buffer.from(keys.secrets.record.seed).toString('base64')
  for (const [wrong, code] of [
    [text.slice(0, -20), 'BAD_INPUT'],
    [text.replace(seed, seed.slice(4)), 'BAD_INPUT'],
    [text.replace('"format": 1', '"format": 9'), 'FORMAT_UNKNOWN'],
  ] as const) {
    await writeFile(path, wrong)
    await assert.rejects(loadPoolKeys(home, peer), (thrown) => {
      assert(isCode(thrown, code), String(thrown))
      const error = thrown as Error
      assert.equal(
        `${error.stack}${JSON.stringify(error)}${String(error.cause)}`.includes(seed.slice(8)),
        false,
      )
      return true
    })
  }
})
