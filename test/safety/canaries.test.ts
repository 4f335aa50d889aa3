/**
 * One whole run of real processes at log level debug, with errors provoked; then every secret of it is
 * searched, in every usual spelling, wherever PeerStor writes: logs, standard output, answers, metrics,
 * the files of every home, arguments and environment of every process.
 */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { runToEnd } from '../../src/cli/peer-process.ts'
import { eventually, temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

/** Everything that was said, by whom. */
type Said = Map<string, string>

/** A peer whose whole output is kept. */
class Overheard {
  readonly home: string
  readonly child: ChildProcess
  readonly url: Promise<string>
  stdout = ''
  stderr = ''

  constructor(home: string, code?: string) {
    this.home = home
    const place = ['--home', home, '--host', '127.0.0.1', '--port', '0', '--peer-port', '0', '--no-mdns']
    const join = code === undefined ? [] : ['--join', '-']
    const log = ['--debug', '--log-file', `${home}.log`]
    this.child = spawn(process.execPath, [...program, 'start', ...place, ...log, ...join])
    this.child.stdin?.end(code)
    this.child.stderr?.on('data', (bytes: Buffer) => (this.stderr += bytes.toString()))
    this.url = new Promise((resolve, reject) => {
      this.child.stdout?.on('data', (bytes: Buffer) => {
        this.stdout += bytes.toString()
        const link = /Access at: (http\S+)\/#token=/.exec(this.stdout)
        if (link !== null && this.stdout.includes('Keeps up to')) resolve(link[1] as string)
      })
      this.child.on('close', () => reject(new Error(this.stderr)))
    })
    this.url.catch(() => undefined)
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const closed = once(this.child, 'close')
    this.child.kill('SIGTERM')
    await closed
  }
}

function startOverheard(t: TestContext, home: string, code?: string): Overheard {
  const peer = new Overheard(home, code)
  t.after(() => peer.end())
  return peer
}

/** A secret's bytes as they might be written. */
const spellings = (bytes: Buffer): string[] => [
  bytes.toString('hex'),
  bytes.toString('hex').toUpperCase(),
  bytes.toString('base64').replace(/=+$/, ''),
  bytes.toString('base64url'),
  bytes.toString('latin1'),
]

/** Every string of a key file that is 16 random bytes or more, as bytes. */
function keysIn(home: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  const folder = join(home, 'keys')
  for (const name of readdirSync(folder)) {
    const content = readFileSync(join(folder, name))
    if (!name.endsWith('.json')) found.set(name, content)
    else
      for (const [key, value] of Object.entries(JSON.parse(content.toString()) as Record<string, unknown>))
        if (/seed|secret/i.test(key) && typeof value === 'string')
          found.set(`${name} ${key}`, Buffer.from(value, 'base64'))
  }
  return found
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

test('no secret of a whole run is said, logged, stored elsewhere or shown in a list of processes', async (t) => {
  const folder = await temporaryFolder(t)
  const said: Said = new Map()
  const secrets = new Map<string, string[]>()
  const a = startOverheard(t, join(folder, 'a'))
  const url = await a.url
  const run = JSON.parse(readFileSync(join(a.home, 'run.json'), 'utf8')) as { token: string; pid: number }
  const command = async (home: string, ...args: string[]): Promise<string> => {
    const { stdout, stderr } = await runToEnd(program, [...args, '--home', home])
    said.set(`${args.join(' ')} of ${basename(home)}: error`, stderr)
    return stdout
  }
  const { code, link } = JSON.parse(await command(a.home, 'invite', '--json')) as Record<string, string>
  const { token } = JSON.parse(
    await command(a.home, 'token', 'create', '--scope', 'admin', '--json'),
  ) as Record<string, string>
  assert.ok(code && link && token)
  const signedIn = await fetch(`${url}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ token: run.token }),
  })
  const cookie = signedIn.headers.getSetCookie()[0] ?? ''
  const session = /=([^;]+)/.exec(cookie)?.[1] ?? ''
  assert.ok(session.length > 20, `${signedIn.status} ${await signedIn.text()}`)

  const b = startOverheard(t, join(folder, 'b'), code)
  await b.url
  const refused = startOverheard(t, join(folder, 'c'), code)
  await once(refused.child, 'close')
  const source = join(folder, 'photo')
  writeFileSync(source, randomBytes(3_000_000))
  said.set('put', await command(a.home, 'put', source, '--durability', '2'))
  said.set('get', await command(b.home, 'get', 'files/photo', '-o', join(folder, 'out')))
  await eventually('the catalogue', async () => (await command(b.home, 'ls', 'files')).includes('photo'))

  // Errors of every face, with secrets where they do not belong.
  const ask = async (path: string, options: RequestInit = {}): Promise<void> => {
    const answer = await fetch(`${url}${path}`, options)
    said.set(
      `${options.method ?? 'GET'} ${path.slice(0, 30)}`,
      `${[...answer.headers].join()} ${await answer.text()}`,
    )
  }
  const auth = { authorization: `Bearer ${run.token}` }
  await ask(`/files/files/none`, { headers: { authorization: `Bearer ${token}` } })
  await ask(`/api/v1/status?token=${token}`, { headers: auth })
  await ask(`/api/v1/join`, {
    method: 'POST',
    headers: { ...auth, 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  })
  await ask(`/api/v1/join`, {
    method: 'POST',
    headers: { ...auth, 'content-type': 'application/json' },
    body: `{"code": "${code}`,
  })
  await ask(`/api/v1/status`, { headers: { cookie: `${cookie.split(';')[0]}x` } })
  await ask(`/files/files/photo`, { headers: { cookie: cookie.split(';')[0] ?? '' } })
  await ask('/metrics', { headers: auth })
  await ask('/metrics/json', { headers: auth })
  await ask('/api/v1/status', { headers: auth })
  await ask('/api/v1/peers', { headers: auth })
  await ask('/api/v1/devices', { headers: auth })
  await ask('/api/v1/tokens', { headers: auth })
  await ask('/api/v1/sessions', { headers: auth })
  await ask('/api/v1/settings', { headers: auth })
  said.set('answers of photo', '')
  for (const args of [
    ['join', code],
    ['join', `${code}x`],
    ['status'],
    ['token', 'list'],
    ['metrics'],
    ['config'],
    ['discover'],
  ])
    said.set(args[0] as string, await command(a.home, ...args))

  for (const peer of [a, b, refused]) {
    const name = basename(peer.home)
    said.set(`${name} stderr`, peer.stderr)
    said.set(`${name} stdout but the link`, peer.stdout.replace(/^Access at: .*$/m, ''))
    if (peer !== refused) said.set(`${name} log file`, readFileSync(`${peer.home}.log`, 'utf8'))
  }
  assert.match(a.stderr, /listening/, 'there was something to search')
  for (const peer of [a, b])
    for (const file of ['cmdline', 'environ'])
      if (process.platform === 'linux')
        said.set(`${basename(peer.home)} ${file}`, readFileSync(`/proc/${peer.child.pid}/${file}`, 'latin1'))

  const inviteSecret = code
  secrets.set('launch token', [run.token, ...spellings(Buffer.from(run.token, 'base64url'))])
  secrets.set('API token', [token, ...spellings(Buffer.from(token, 'base64url'))])
  secrets.set('session', [session, ...spellings(Buffer.from(session, 'base64url'))])
  secrets.set('invite code', [inviteSecret, link, inviteSecret.slice(-40)])
  for (const peer of [a, b])
    for (const [name, bytes] of keysIn(peer.home)) {
      assert.ok(bytes.length >= 16, name)
      secrets.set(`${basename(peer.home)} ${name}`, spellings(bytes))
    }
  assert.ok(secrets.size >= 4 + 2 * 3, [...secrets.keys()].join())

  for (const [where, text] of said)
    for (const [name, forms] of secrets)
      for (const form of forms) assert.ok(!text.includes(form), `${name} is in: ${where}`)

  // Files: a key lies in its own file alone, the launch token in run.json alone, the rest nowhere.
  let searched = 0
  for (const peer of [a, b])
    for (const file of filesBelow(peer.home)) {
      const text = readFileSync(file).toString('latin1')
      searched += 1
      for (const [name, forms] of secrets) {
        const own = file.includes('/keys/')
          ? name.startsWith(`${basename(peer.home)} `) || name.endsWith('poolSecret')
          : file.endsWith('run.json') && name === 'launch token'
        if (!own) for (const form of forms) assert.ok(!text.includes(form), `${name} is in ${file}`)
      }
    }
  t.diagnostic(`${secrets.size} secrets, ${said.size} texts, ${searched} files`)
})
