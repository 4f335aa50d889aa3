import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { openSettings } from './open-settings.ts'
import { environmentName, laterSettings, settingKeys } from './settings.ts'

async function configFile(t: TestContext, text?: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'settings-'))
  t.after(() => rm(folder, { recursive: true }))
  if (text !== undefined) await writeFile(join(folder, 'config.toml'), text)
  return join(folder, 'config.toml')
}

const open = (file: string, more: { flags?: object; environment?: Record<string, string> } = {}) =>
  openSettings({ flags: {}, environment: {}, file, ...more })

test('flag beats environment beats config.toml beats default', async (t) => {
  const file = await configFile(t, 'port = 1111\npeer-port = 2222\nzone = "home"\n[net]\nretries = 7\n')
  const settings = await open(file, {
    flags: { port: 3333 },
    environment: { PEERSTOR_PORT: '4444', PEERSTOR_PEER_PORT: '5555', PEERSTOR_NET_DIAL_TIMEOUT: '2s' },
  })
  const origins = Object.fromEntries(settings.list().map((line) => [line.key, [line.value, line.origin]]))
  assert.deepEqual(origins['port'], [3333, 'flag'])
  assert.deepEqual(origins['peer-port'], [5555, 'environment'])
  assert.deepEqual(origins['zone'], ['home', 'config'])
  assert.deepEqual(origins['net.retries'], [7, 'config'])
  assert.deepEqual(origins['net.dial_timeout'], [2000, 'environment'])
  assert.deepEqual(origins['compression'], [1, 'default'])
  assert.equal(settings.get('mdns'), true)
})

test('a live setting changes at once and is saved; another waits for a restart', async (t) => {
  const file = await configFile(t)
  const settings = await open(file)
  const changed: string[] = []
  settings.on((key) => changed.push(key))
  assert.equal((await settings.set('contribute', '5GB')).live, true)
  assert.equal(settings.get('contribute'), 5 * 2 ** 30)
  assert.equal((await settings.set('port', '9000')).live, false)
  assert.equal(settings.get('port'), 8080)
  await settings.set('net.retries', '9')
  assert.deepEqual(changed, ['contribute'])
  const again = await open(file)
  assert.equal(again.get('port'), 9000)
  assert.equal(again.get('net.retries'), 9)
  assert.equal((await again.unset('contribute')).origin, 'default')
  assert.equal((await open(file)).get('contribute'), undefined)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(join(file, '..')), ['config.toml'])
})

test('a saved value under a flag does not take effect', async (t) => {
  const file = await configFile(t)
  const settings = await open(file, { flags: { compression: 3 } })
  const line = await settings.set('compression', '9')
  assert.deepEqual([line.value, line.origin], [3, 'flag'])
  assert.match(await readFile(file, 'utf8'), /compression = 9/)
})

test('unknown keys and wrong values are refused everywhere, and change nothing', async (t) => {
  const file = await configFile(t, 'port = 1111\n')
  const settings = await open(file)
  await assert.rejects(settings.set('prot', '1'), { code: 'SETTING_UNKNOWN', message: /did you mean port\?/ })
  await assert.rejects(settings.set('peer_port', '1'), { message: /did you mean peer-port\?/ })
  await assert.rejects(settings.set('wholly-elsewhere', '1'), {
    message: 'no setting is named wholly-elsewhere',
  })
  await assert.rejects(settings.set('port', '70000'), { code: 'SETTING_INVALID' })
  await assert.rejects(settings.set('contribute', '-5'), {
    code: 'SETTING_INVALID',
    message: /a size such as 5GB/,
  })
  await assert.rejects(settings.set('constructor', '1'), { code: 'SETTING_UNKNOWN' })
  assert.equal(await readFile(file, 'utf8'), 'port = 1111\n')
  await assert.rejects(open(await configFile(t, 'prot = 1\n')), { code: 'SETTING_UNKNOWN' })
  await assert.rejects(open(await configFile(t, 'port = "x"\n')), { code: 'SETTING_INVALID' })
  await assert.rejects(open(await configFile(t, 'port = = 1\n')), { code: 'BAD_INPUT' })
  await assert.rejects(open(file, { environment: { PEERSTOR_LOG: 'loud' } }), { code: 'SETTING_INVALID' })
})

test('a setting whose feature is to come says so, wherever it is named', async (t) => {
  const file = await configFile(t)
  const later = { code: 'SETTING_LATER' }
  const settings = await open(file)
  for (const key of Object.keys(laterSettings)) {
    assert.ok(!settingKeys.includes(key as never), key)
    await assert.rejects(settings.set(key, 'true'), later)
    await assert.rejects(open(file, { environment: { [environmentName(key)]: 'true' } }), later)
  }
  await assert.rejects(open(file, { flags: { dht: false } as never }), later)
  await assert.rejects(open(await configFile(t, '[versions]\nkeep = "30d"\n')), later)
  await assert.rejects(settings.set('metrics', '127.0.0.1:9000'), { message: /not available yet/ })
})

test('changes at once are all kept', async (t) => {
  const file = await configFile(t)
  const settings = await open(file)
  await Promise.all([
    settings.set('name', 'desk'),
    settings.set('zone', 'home'),
    settings.set('client', 'true'),
  ])
  const again = await open(file)
  assert.deepEqual([again.get('name'), again.get('zone'), again.get('client')], ['desk', 'home', true])
})
