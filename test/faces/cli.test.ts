/** The command line as people and scripts meet it: real processes, real homes, exit codes and both outputs. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { after, before } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type CommandResult, PeerProcess, runToEnd } from '../../src/cli/peer-process.ts'

const program = [join(import.meta.dirname, '../../src/cli/main.ts')]

let folder = ''
let peer: PeerProcess

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerstor-cli-'))
  peer = new PeerProcess(program, 'laptop', join(folder, 'home'), ['--no-mdns', '--log', 'error'])
  await peer.start()
})

after(async () => {
  assert.equal(await peer.stop(), 0, 'the peer ends in order')
  await rm(folder, { recursive: true, force: true })
})

const run = (...args: string[]): Promise<CommandResult> => runToEnd(program, [...args, '--home', peer.home])

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await run(...args, '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as T
}

/** A failed command: its exit code, nothing on stdout, the error as people and as programs see it. */
async function failure(
  code: number,
  name: string,
  ...args: string[]
): Promise<{ message: string; next: string }> {
  const text = await run(...args)
  assert.equal(text.code, code, text.stderr)
  assert.equal(text.stdout, '')
  assert.match(text.stderr, new RegExp(`^error: .+ — .+ \\[${name}\\]\\n$`))
  const machine = await run(...args, '--json')
  assert.equal(machine.code, code)
  const { error } = JSON.parse(machine.stderr) as { error: { code: string; message: string; next: string } }
  assert.equal(error.code, name)
  return error
}

test('start --json says where it is, run.json the same', async () => {
  const { url, token, peer: id, home } = peer.started
  assert.equal(home, peer.home)
  const file = join(home, 'run.json')
  const saved = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  assert.equal(saved['url'], url)
  assert.equal(saved['token'], token)
  assert.equal(saved['pid'], peer.pid)
  if (process.platform !== 'win32') assert.equal((await stat(file)).mode & 0o777, 0o600)
  const status = await json<Record<string, unknown>>('status')
  assert.equal(status['peer'], id)
  for (const key of [
    'name',
    'url',
    'addresses',
    'version',
    'pool',
    'storage',
    'files',
    'safety',
    'transfers',
    'uptimeSeconds',
  ])
    assert.ok(key in status, key)
})

test('a second start prints the running link and ends well', async () => {
  const { code, stdout } = await run('start')
  assert.equal(code, 0)
  assert.ok(stdout.includes(`${peer.started.url}/#token=${peer.started.token}`))
  assert.equal((await run('url')).stdout.trim(), `${peer.started.url}/#token=${peer.started.token}`)
})

test('put, ls, info, cat, get, mv, rm, trash restore', async () => {
  const file = join(folder, 'käse.txt')
  await writeFile(file, 'hello\n')
  const put = await json<Record<string, unknown>>('put', file)
  assert.deepEqual(Object.keys(put).toSorted(), [
    'copies',
    'hash',
    'path',
    'savedBytes',
    'sentBytes',
    'size',
    'version',
  ])
  assert.equal(put['path'], 'files/käse.txt')
  const { entries } = await json<{ entries: Record<string, unknown>[] }>('ls', 'files')
  const [entry] = entries.filter((each) => each['path'] === 'files/käse.txt')
  assert.equal(entry?.['size'], 6)
  assert.deepEqual(entry?.['copies'], { have: 1, want: 1 })
  const info = await json<Record<string, unknown>>('info', 'files/käse.txt', '--sha256', '--chunks')
  assert.equal(info['sha256'], '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03')
  assert.equal(info['hash'], put['hash'])
  assert.equal((await run('cat', 'files/käse.txt')).stdout, 'hello\n')
  assert.equal((await run('cat', 'files/käse.txt', '--range', '1-2')).stdout, 'el')
  const out = join(folder, 'out.txt')
  const got = await json<Record<string, unknown>>('get', 'files/käse.txt', '-o', out)
  assert.deepEqual(Object.keys(got).toSorted(), ['hash', 'path', 'size', 'sources'])
  assert.equal(await readFile(out, 'utf8'), 'hello\n')
  await json('mv', 'files/käse.txt', 'files/cheese.txt')
  await failure(1, 'NOT_FOUND', 'cat', 'files/käse.txt')
  await json('rm', 'files/cheese.txt')
  await failure(1, 'NOT_FOUND', 'info', 'files/cheese.txt')
  await json('trash', 'restore', 'files/cheese.txt')
  assert.equal((await run('cat', 'files/cheese.txt')).stdout, 'hello\n')
})

test('earlier versions are listed, read and restored', async () => {
  const file = join(folder, 'versions.txt')
  for (const content of ['one', 'two']) {
    await writeFile(file, content)
    await json('put', file)
  }
  const { entries } = await json<{ entries: { version: string; state: string }[] }>(
    'versions',
    'files/versions.txt',
  )
  assert.equal(entries.length, 2)
  const old = entries.find((entry) => entry.state !== 'current')?.version ?? ''
  assert.equal((await run('cat', 'files/versions.txt', '--version', old)).stdout, 'one')
  await json('restore', 'files/versions.txt', '--version', old.slice(0, 10))
  assert.equal((await run('cat', 'files/versions.txt')).stdout, 'one')
})

test('a folder as it was: listed, tried, restored, undone', async () => {
  const file = join(folder, 'then.txt')
  const put = async (content: string): Promise<void> => {
    await writeFile(file, content)
    await json('put', file, '--to', 'files/album/then.txt')
  }
  await put('then')
  const at = new Date(Date.now() + 1).toISOString()
  await put('since')
  const { entries } = await json<{ entries: { size: number }[] }>('ls', 'files/album', '--at', at)
  assert.deepEqual(
    entries.map(({ size }) => size),
    [4],
  )
  const dry = await run('restore', 'files/album', '--at', at, '--dry-run')
  assert.match(dry.stdout, /^changes +files\/album\/then.txt\nwould be restored/)
  const done = await json<{ changed: number; undo: string }>('restore', 'files/album', '--at', at)
  assert.equal(done.changed, 1)
  assert.equal((await run('cat', 'files/album/then.txt')).stdout, 'then')
  const undone = await run('restore', 'files/album', '--at', done.undo)
  assert.match(undone.stdout, /^restored files\/album: 0 came back, 1 changed/)
  assert.match(undone.stderr, /to undo it: peerstor restore files\/album --at /)
  assert.equal((await run('cat', 'files/album/then.txt')).stdout, 'since')
  await failure(2, 'BAD_USAGE', 'restore', 'files/album')
  await failure(2, 'BAD_USAGE', 'restore', 'files/album', '--at', 'yesterdayish')
})

test('a file that expires: put, described, by its folder', async () => {
  const file = join(folder, 'offer.txt')
  await writeFile(file, 'for a week')
  const expires = async (): Promise<number> =>
    Date.parse((await json<{ expires: string }>('info', 'files/offer.txt')).expires) - Date.now()
  await json('put', file, '--expires', '7d')
  const week = 7 * 86_400_000
  assert.ok(Math.abs((await expires()) - week) < 600_000)
  assert.match((await run('info', 'files/offer.txt')).stdout, /^ {2}expires /m)
  await json('describe', 'files/offer.txt', '--expires', 'none')
  await json('folder', 'set', 'files', 'expires=14d')
  assert.ok(Math.abs((await expires()) - 2 * week) < 600_000)
  await json('folder', 'set', 'files', 'expires=none')
  assert.equal(Number.isNaN(await expires()), true)
  await failure(2, 'BAD_USAGE', 'put', file, '--expires', 'soon')
})

test('tag, describe and find, and one chunk of a file', async () => {
  const local = join(folder, 'Rent Contract.bin')
  await writeFile(local, randomBytes(2_000_000))
  await json('put', local, '--to', 'files/papers/Rent Contract.bin')
  const path = 'files/papers/Rent Contract.bin'
  const tagged = await json<{ tags: string[] }>('tag', path, '+home,+draft')
  assert.deepEqual(tagged.tags, ['home', 'draft'])
  assert.deepEqual((await json<{ tags: string[] }>('tag', path, '-draft')).tags, ['home'])
  assert.match((await run('describe', path, 'of the flat', '--category', 'document')).stdout, /^described /)
  const info = await json<Record<string, unknown>>('info', path, '--chunks')
  assert.deepEqual(
    [info['description'], info['category'], info['tags']],
    ['of the flat', 'document', ['home']],
  )
  interface Page {
    entries: { path: string }[]
  }
  for (const query of [
    ['rent', 'flat'],
    ['--tag', 'home'],
    ['contract', '--larger', '1MB', '--newer', '1h'],
  ])
    assert.deepEqual(
      (await json<Page>('find', ...query)).entries.map((entry) => entry.path),
      [path],
    )
  assert.match((await run('find', 'RENT')).stdout, /^Path .*\nfiles\/papers\/Rent Contract\.bin .* 1\.9 MB/)
  assert.equal((await run('find', 'no such file')).stdout, 'nothing found\n')
  assert.match((await run('find', '--categories')).stdout, /document +[1-9]/)
  const out = join(folder, 'chunk')
  await json('get', path, '--chunk', '1', '-o', out)
  const [first, second] = info['chunks'] as { size: number }[]
  const whole = await readFile(local)
  assert.ok((await readFile(out)).equals(whole.subarray(first!.size, first!.size + second!.size)))
  await failure(2, 'BAD_USAGE', 'tag', path, 'home')
  await failure(2, 'BAD_USAGE', 'describe', path)
  await failure(1, 'BAD_INPUT', 'find', '--larger', 'huge')
  await failure(1, 'NOT_FOUND', 'get', path, '--chunk', '99')
})

test('a real tree goes in and comes out the same', async () => {
  const tree = join(folder, 'tree')
  await mkdir(join(tree, 'deep/er'), { recursive: true })
  await writeFile(join(tree, 'small'), 'small')
  await writeFile(join(tree, 'deep/er/large'), Buffer.alloc(3_000_000, 'large'))
  await writeFile(join(tree, 'empty'), '')
  await writeFile(join(tree, 'tool'), '#!/bin/sh\n')
  await chmod(join(tree, 'tool'), 0o755)
  await utimes(join(tree, 'tool'), 1_600_000_000, 1_600_000_000)
  const links = process.platform !== 'win32'
  if (links) await symlink('../small', join(tree, 'deep/link'))
  const { code, stdout, stderr } = await run('put', '-r', tree, '--json')
  assert.equal(code, 0, stderr)
  const paths = stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { path: string }).path)
  assert.deepEqual(
    paths.toSorted(),
    ['deep/er/large', ...(links ? ['deep/link'] : []), 'empty', 'small', 'tool'].map(
      (name) => `files/tree/${name}`,
    ),
  )
  const out = join(folder, 'tree-out')
  assert.equal((await run('get', '-r', 'files/tree', '-o', out)).code, 0)
  for (const name of ['small', 'deep/er/large', 'empty', 'tool'])
    assert.ok((await readFile(join(out, name))).equals(await readFile(join(tree, name))), name)
  const tool = await stat(join(out, 'tool'))
  assert.equal(tool.mtimeMs, 1_600_000_000_000)
  if (!links) return
  assert.equal(tool.mode & 0o777, 0o755)
  assert.equal(await readlink(join(out, 'deep/link')), '../small')
})

test('what vanishes or is no file is reported or left out, the rest is stored', async () => {
  const tree = join(folder, 'odd')
  await mkdir(tree)
  await writeFile(join(tree, 'good'), 'good')
  const server = createServer().listen(join(tree, 'socket'))
  await once(server, 'listening')
  const left = await run('put', '-r', tree)
  server.close()
  assert.equal(left.code, 0, left.stderr)
  assert.match(left.stderr, /left out 1 pipe, socket or device/)
  const gone = await run('put', join(tree, 'good'), join(tree, 'gone'))
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /error: file .*gone does not exist — .* \[NOT_FOUND\]/)
  assert.match(gone.stdout, /stored files\/good/)
})

test('standard input and standard output', async () => {
  const args = ['put', '-', '--to', 'files/piped', '--home', peer.home]
  assert.equal((await runToEnd(program, args, { input: 'piped' })).code, 0)
  assert.equal((await run('get', 'files/piped', '-o', '-')).stdout, 'piped')
  await failure(2, 'BAD_USAGE', 'put', '-')
})

test('--to is a new name, or a place that is there', async () => {
  const file = join(folder, 'named')
  await writeFile(file, 'x')
  assert.equal(
    (await json<{ path: string }>('put', file, '--to', 'files/other-name')).path,
    'files/other-name',
  )
  assert.equal((await json<{ path: string }>('put', file, '--to', 'files/place/')).path, 'files/place/named')
  assert.equal((await json<{ path: string }>('put', file, '--to', 'files/place')).path, 'files/place/named')
})

test('settings are shown, saved and forgotten', async () => {
  assert.equal((await run('config', 'get', 'name')).stdout, 'laptop\n')
  const set = await json<Record<string, unknown>>('config', 'set', 'log', 'warn')
  assert.equal(set['key'], 'log')
  await json('config', 'unset', 'log')
  const { settings } = await json<{ settings: { key: string; origin: string }[] }>('config')
  assert.equal(settings.find(({ key }) => key === 'port')?.origin, 'flag')
  await failure(2, 'SETTING_UNKNOWN', 'config', 'set', 'nonsense', '1')
  await failure(2, 'SETTING_INVALID', 'config', 'set', 'port', 'x')
  await failure(2, 'SETTING_LATER', 'config', 'set', 'dht', 'false')
})

test('the lists of devices, peers, folders, tokens and work', async () => {
  assert.equal((await json<{ devices: unknown[] }>('device', 'list')).devices.length > 0, true)
  assert.equal((await json<{ peers: unknown[] }>('peers')).peers.length, 1)
  assert.ok('mdns' in (await json<object>('discover')))
  const { folders } = await json<{ folders: { name: string }[] }>('folder', 'list')
  assert.ok(folders.some(({ name }) => name === 'files'))
  const { id, token } = await json<{ id: string; token: string }>(
    'token',
    'create',
    '--scope',
    'read',
    '--name',
    'script',
  )
  assert.ok(token.length > 20)
  assert.ok(!(await run('token', 'list', '--json')).stdout.includes(token))
  await json('token', 'revoke', id)
  assert.ok((await json<{ workers: unknown[] }>('workers')).workers.length > 0)
  const stateOf = async (...args: string[]): Promise<string | undefined> => {
    const { workers } = await json<{ workers: { name: string; state: string }[] }>('workers', ...args)
    return workers.find(({ name }) => name === 'repair')?.state
  }
  assert.equal(await stateOf('pause', 'repair'), 'paused')
  assert.notEqual(await stateOf('resume', 'repair'), 'paused')
  assert.notEqual(await stateOf('run', 'repair'), 'paused')
  await failure(1, 'WORKER_UNKNOWN', 'workers', 'run', 'nobody')
  assert.equal((await json<{ damaged: number }>('scrub')).damaged, 0)
  const { problems } = await json<{ problems: { next: string }[] }>('doctor')
  assert.ok(problems.some(({ next }) => next === 'peerstor invite'))
  const [self] = (await json<{ devices: { device: string }[] }>('device', 'list')).devices
  const loss = await json<{ survive: number; keys: boolean }>('simulate', 'lose', self!.device)
  assert.deepEqual([loss.survive, loss.keys], [0, false])
  assert.deepEqual(Object.keys(await json<object>('quota')).toSorted(), [
    'contributed',
    'free',
    'perFolder',
    'perUser',
    'quarantined',
    'used',
  ])
  assert.ok('files' in (await json<object>('metrics')))
})

test('an invite is a code, a link and an end; a mistyped code is refused', async () => {
  const invite = await json<Record<string, string>>('invite')
  assert.deepEqual(Object.keys(invite).toSorted(), ['code', 'expires', 'link'])
  assert.equal((await run('join', 'nonsense')).code, 1)
  const home = join(folder, 'refused')
  const started = await runToEnd(program, [
    'start',
    '--home',
    home,
    '--join',
    'nonsense',
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--peer-port',
    '0',
    '--no-mdns',
    '--log',
    'error',
  ])
  assert.equal(started.code, 1, started.stdout)
  assert.match(started.stderr, /\[INVITE_INVALID\]/)
  await assert.rejects(stat(home), 'no home is made')
})

test('wrong usage exits 2 and helps', async () => {
  const { message } = await failure(2, 'BAD_USAGE', 'lss')
  assert.match(message, /Did you mean ls/)
  await failure(2, 'BAD_USAGE', 'ls', '--nonsense')
  await failure(2, 'BAD_USAGE', 'mv', 'files/a')
  await failure(2, 'BAD_USAGE', 'config', 'gett', 'name')
  for (const args of [['--help'], ['help', 'put'], ['put', '--help']]) {
    const help = await runToEnd(program, args)
    assert.equal(help.code, 0)
    assert.match(help.stdout, /Usage: peerstor/)
  }
  assert.match((await runToEnd(program, ['help', 'put'])).stdout, /Examples:/)
})

test('without a running peer a command says how to start one', async () => {
  const args = ['ls', '--home', join(folder, 'none')]
  const { code, stderr } = await runToEnd(program, args)
  assert.equal(code, 1)
  assert.match(
    stderr,
    /no peer is running for .*none — start it: peerstor start --home .*none \[PEER_NOT_RUNNING\]/,
  )
})

test('--quiet prints nothing but what was asked for', async () => {
  assert.equal((await run('ls', '--quiet')).stdout, '')
  assert.equal((await run('cat', 'files/piped', '--quiet')).stdout, 'piped')
})

const startArgs = (home: string): string[] => {
  const place = ['--home', home, '--host', '127.0.0.1', '--port', '0', '--peer-port', '0']
  return [...program, 'start', ...place, '--no-mdns', '--log', 'error']
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(
    `${signal} ends a peer in order, uploads in flight or not`,
    { skip: process.platform === 'win32' },
    async () => {
      const home = join(folder, `home-${signal}`)
      const child = spawn(process.execPath, startArgs(home), { stdio: ['ignore', 'pipe', 'inherit'] })
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
      assert.match(line, /^Access at: http:\/\/127\.0\.0\.1:\d+\/#token=\S+$/)
      const upload = runToEnd(program, ['put', '-', '--to', 'files/endless', '--home', home], { input: '' })
      await upload
      child.kill(signal)
      const [code] = (await once(child, 'exit')) as [number | null]
      assert.equal(code, 0)
      await assert.rejects(stat(join(home, 'run.json')), 'run.json is gone')
    },
  )

test(
  'a peer does not outlive the process that it is told to watch',
  { skip: process.platform === 'win32' },
  async () => {
    const home = join(folder, 'home-orphan')
    const parent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    const child = spawn(process.execPath, startArgs(home), {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PEERSTOR_PARENT: String(parent.pid) },
    })
    await once(createInterface({ input: child.stdout }), 'line')
    parent.kill('SIGKILL')
    const [code] = (await once(child, 'exit')) as [number | null]
    assert.equal(code, 0)
  },
)

test('Ctrl+C ends a command with 130', { skip: process.platform === 'win32' }, async () => {
  const child = spawn(
    process.execPath,
    [...program, 'put', '-', '--to', 'files/interrupted', '--home', peer.home],
    {
      stdio: ['pipe', 'ignore', 'pipe'],
    },
  )
  child.stdin.on('error', () => undefined)
  child.stdin.write('some')
  await waitForRequest()
  child.kill('SIGINT')
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  // Before the program has begun to listen the signal itself ends it, which a shell shows as 130 too.
  assert.ok(code === 130 || signal === 'SIGINT', `ended with ${code}, ${signal}`)
  await failure(1, 'NOT_FOUND', 'cat', 'files/interrupted')
})

/** Long enough for the command to have begun; the outcome is the same when it has not. */
const waitForRequest = (): Promise<void> => wait(600)

test('an error that nothing caught ends the process with one line, and the next start goes on', async () => {
  const home = join(folder, 'uncaught')
  const place = ['--home', home, '--host', '127.0.0.1', '--port', '0', '--peer-port', '0', '--no-mdns']
  const broken = 'data:text/javascript,setTimeout(() => Promise.reject(new Error("boom")), 2500)'
  const { code, stderr } = await runToEnd(['--import', broken, ...program], ['start', ...place])
  assert.equal(code, 1)
  assert.match(stderr, /^error: an unexpected error: boom — .* \[INTERNAL\]$/m)
  const again = new PeerProcess(program, 'again', home)
  await again.start()
  assert.equal(await again.stop(), 0)
})

test('password set reads standard input, and the page takes it', async () => {
  const set = await runToEnd(program, ['password', 'set', '--home', peer.home], {
    input: 'a long password\n',
  })
  assert.equal(set.code, 0, set.stderr)
  const signIn = (password: string): Promise<Response> =>
    fetch(`${peer.started.url}/api/v1/sessions`, {
      method: 'POST',
      body: JSON.stringify({ password }),
      headers: { 'content-type': 'application/json' },
    })
  assert.equal((await signIn('a long password')).status, 201)
  assert.equal((await signIn('another password')).status, 401)
  assert.deepEqual(await json('password'), { set: true })
  assert.deepEqual(await json('password', 'off'), { set: false })
  assert.equal((await signIn('a long password')).status, 401)
  await failure(1, 'BAD_INPUT', 'password', 'set')
})
