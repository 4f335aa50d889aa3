/** What a home survives: a lost index, a missing storage folder; and what must never be written anywhere. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { contentOf, eventually, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

test('a lost or damaged index is built again from the segments', async (t) => {
  const home = await temporaryFolder(t)
  const content = randomBytes(12_000_000)
  const first = await startPeer(t, { home })
  await first.files.put('files/big', sourceOf(content))
  await first.files.put('files/note', text('one'))
  await first.files.put('files/note', text('two'))
  await first.files.move('files/big', 'files/moved')
  await first.stop()
  const damage: (() => Promise<void>)[] = [
    async () => {
      for (const name of ['peerstor.db', 'peerstor.db-wal', 'peerstor.db-shm'])
        await rm(join(home, name), { force: true })
    },
    () => writeFile(join(home, 'peerstor.db'), randomBytes(200_000)),
  ]
  for (const lose of damage) {
    await lose()
    const again = await startPeer(t, { home })
    assert.ok((await contentOf(again, 'files/moved')).equals(content))
    assert.deepEqual(
      (await again.files.versions('files/note')).map(({ state }) => state),
      ['current', 'old'],
    )
    const { have, want } = (await again.files.info('files/moved')).copies
    assert.deepEqual([have, want], [1, 1])
    await again.stop()
  }
})

test('without its storage folder a peer still runs and says what is wrong', async (t) => {
  const home = await temporaryFolder(t)
  const first = await startPeer(t, { home })
  await first.files.put('files/a', text('a'))
  await first.stop()
  await rename(join(home, 'segments'), join(home, 'elsewhere'))
  await writeFile(join(home, 'segments'), 'a file where the folder was')
  const blind = await startPeer(t, { home })
  assert.equal(blind.health().healthy, false)
  assert.deepEqual(
    (await blind.files.list('files')).entries.map(({ path }) => path),
    ['files/a'],
  )
  assert.equal((await blind.files.info('files/a')).copies.have, 0)
  const status = await blind.status()
  assert.equal(status.files.count, 1)
  assert.match(status.warnings[0]!, /storage folder .* is missing .* nothing is stored here/)
  for (const write of [
    blind.files.put('files/b', text('b')),
    blind.files.put('files/b', sourceOf(Buffer.alloc(2 ** 20)), { size: 2 ** 20 }),
    blind.files.remove('files/a'),
    blind.files.move('files/a', 'files/c'),
    blind.pool.leave(),
  ])
    await assert.rejects(write, { code: 'STORAGE_MISSING' })
  assert.equal(blind.settings.get('host'), '127.0.0.1')
  assert.ok(blind.tokens.ofToken(blind.tokens.launchToken))
  await blind.stop()
  await rm(join(home, 'segments'))
  await rename(join(home, 'elsewhere'), join(home, 'segments'))
  const again = await startPeer(t, { home })
  assert.equal((await contentOf(again, 'files/a')).toString(), 'a')
})

test('with its disk unplugged a device lists all and reads from the others; plugged in it has all again', async (t) => {
  const folder = await temporaryFolder(t)
  const home = join(folder, 'one')
  const storage = join(folder, 'disk', 'segments')
  const one = await startPeer(t, { home, settings: { storage } })
  const { code } = await one.pool.invite({ storageOnly: false })
  const two = await startPeer(t, { home: join(folder, 'two'), join: code })
  const content = randomBytes(6_000_000)
  await one.files.put('files/a', sourceOf(content), { durability: 2 })
  await one.stop()
  await rename(join(folder, 'disk'), join(folder, 'unplugged'))
  const blind = await startPeer(t, { home, settings: { storage } })
  const info = await blind.files.info('files/a')
  assert.equal(info.size, content.length)
  await eventually('the other device counts', async () => {
    const { copies } = await blind.files.info('files/a')
    return copies.have === 1
  })
  assert.ok((await contentOf(blind, 'files/a')).equals(content))
  assert.equal((await blind.pool.peers()).peers.length, (await two.pool.peers()).peers.length)
  await blind.stop()
  await rm(join(folder, 'disk'), { recursive: true, force: true })
  await rename(join(folder, 'unplugged'), join(folder, 'disk'))
  const again = await startPeer(t, { home, settings: { storage } })
  // The other device is looked for first.
  await eventually('nothing is missing', async () => (await again.status()).warnings.length === 0)
  await eventually('both copies count', async () => (await again.files.info('files/a')).copies.have === 2)
  await again.files.put('files/b', text('b'))
})

test('a disk unplugged while the peer runs leaves status, list and info', async (t) => {
  const folder = await temporaryFolder(t)
  const storage = join(folder, 'disk', 'segments')
  const peer = await startPeer(t, { home: join(folder, 'home'), settings: { storage } })
  await peer.files.put('files/a', text('a'))
  await rename(join(folder, 'disk'), join(folder, 'unplugged'))
  assert.match((await peer.status()).warnings[0]!, /is missing/)
  assert.equal((await peer.files.list('files')).entries.length, 1)
  assert.equal((await peer.files.info('files/a')).size, 1)
  await rename(join(folder, 'unplugged'), join(folder, 'disk'))
  assert.doesNotMatch((await peer.status()).warnings.join(), /is missing/)
  await peer.files.put('files/b', text('b'))
})

test('tokens, codes and keys turn up in no log, metric, event or file but their own', async (t) => {
  const folder = await temporaryFolder(t)
  const lines: string[] = []
  const onLog = (_: string, line: object): void => void lines.push(JSON.stringify(line))
  const home = join(folder, 'a')
  const logFile = join(folder, 'log')
  const a = await startPeer(t, { home, onLog, settings: { log: 'debug', 'log-file': logFile } })
  a.events(0, (event) => lines.push(JSON.stringify(event)))
  await a.listening({ host: '127.0.0.1', port: 1 })
  const { code } = await a.pool.invite({ storageOnly: false })
  const { token } = await a.tokens.create({ name: 'robot', scopes: ['admin'] })
  const b = await startPeer(t, { home: join(folder, 'b'), onLog, join: code, settings: { log: 'debug' } })
  await b.files.put('files/canary-name', text('x'), { durability: 2 })
  const refused = await startPeer(t, { home: join(folder, 'c'), onLog, join: code }).catch(
    (thrown: unknown) => thrown,
  )
  lines.push(JSON.stringify(refused), String((refused as Error).stack))
  lines.push(a.metrics().prometheus(), a.metrics().human(), JSON.stringify(await a.status()))
  lines.push(await readFile(logFile, 'utf8'))
  const poolKeys = JSON.parse(await readFile(join(home, 'keys', 'pool.json'), 'utf8')) as Record<
    string,
    unknown
  >
  const seeds = ['recordSeed', 'encryptionSeed', 'poolSecret', 'recoverySeed'].flatMap((name) => {
    const seed = Buffer.from(String(poolKeys[name]), 'base64')
    return [seed.toString('base64'), seed.toString('hex'), seed.toString('base64url')]
  })
  const launch = a.tokens.launchToken
  const said = lines.join('\n')
  for (const secret of [launch, token, code, ...seeds])
    assert.ok(secret.length > 20 && !said.includes(secret), `${secret.slice(0, 6)}… was said`)
  assert.ok(said.includes('listening'), 'there was something to look through')
  for (const file of await filesBelow(home)) {
    const bytes = await readFile(file)
    const mode = (await stat(file)).mode & 0o777
    if (file.includes('/keys/') || file.endsWith('run.json')) assert.equal(mode, 0o600, file)
    for (const secret of [token, code, ...(file.endsWith('run.json') ? [] : [launch])])
      assert.ok(!bytes.includes(secret), `${file} holds a secret`)
    if (!file.includes('/keys/'))
      for (const seed of seeds) assert.ok(!bytes.includes(seed), `${file} holds a key`)
  }
})

async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}
