/** Two hosts with addresses of their own on one bridge: nobody types an address, and nothing but mDNS tells the port. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { eventually } from '../peer-fixture.ts'
import { program } from '../program.ts'
import { findTool, needsTool } from '../tools.ts'

const run = promisify(execFile)
const ip = async (...args: string[]): Promise<unknown> => run(findTool('ip') ?? 'ip', args)

test(
  'a device joins from another host, though the inviter came back at another port',
  needsTool('ip'),
  async (t) => {
    if (process.getuid?.() !== 0) return t.skip('network namespaces need root')
    const folder = await mkdtemp(join(tmpdir(), 'peerstor-hosts-'))
    t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
    const [a, b] = await hostsOnOneBridge(t, folder)
    await a.start('--peer-port', '9001')
    const { code } = await a.json<{ code: string }>('invite')
    await a.stop()
    await a.start('--peer-port', '9002')
    await b.start('--join', code)
    const { mdns } = await b.json<{ mdns: { name: string; addresses: string[] }[] }>('discover')
    assert.deepEqual(
      mdns.map(({ name, addresses }) => [name, addresses[0]]),
      [['a', '/ip4/10.77.0.1/tcp/9002']],
    )
    await writeFile(join(folder, 'file'), 'over the bridge\n')
    await b.json('put', join(folder, 'file'))
    await eventually('a reads it', async () => {
      const { copies } = await a
        .json<{ copies?: { have: number } }>('info', 'files/file')
        .catch(() => ({ copies: undefined }))
      return copies?.have === 2
    })
    const { url } = await a.json<{ url: string }>('status')
    assert.match(url, /^http:\/\/10\.77\.0\.1:/)
  },
)

class Host {
  readonly #namespace: string
  readonly #name: string
  readonly #home: string
  #process: ChildProcess | undefined

  constructor(namespace: string, name: string, home: string) {
    this.#namespace = namespace
    this.#name = name
    this.#home = home
  }

  async start(...settings: string[]): Promise<void> {
    const place = ['--home', this.#home, '--name', this.#name, '--contribute', '1GB', '--log', 'error']
    const [file, args] = this.#command('start', '--json', ...place, ...settings)
    const child = (this.#process = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] }))
    const ended = once(child, 'exit').then(([code]) => assert.fail(`${this.#name} ended with ${code}`))
    ended.catch(() => undefined)
    await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])
  }

  async stop(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }

  async json<T>(...args: string[]): Promise<T> {
    const { stdout } = await run(...this.#command(...args, '--json', '--home', this.#home))
    return JSON.parse(stdout) as T
  }

  #command(...args: string[]): [string, string[]] {
    const inside = ['netns', 'exec', this.#namespace, process.execPath, ...program]
    return [findTool('ip') ?? 'ip', [...inside, ...args]]
  }
}

/** Each host in a network namespace, its cable in a third one that has the bridge; gone with the test. */
async function hostsOnOneBridge(t: TestContext, folder: string): Promise<[Host, Host]> {
  const lan = `peerstor-${process.pid}-lan`
  const names = ['a', 'b'] as const
  const hosts = names.map((name) => new Host(`peerstor-${process.pid}-${name}`, name, join(folder, name)))
  await ip('netns', 'add', lan)
  t.after(async () => {
    await Promise.all(hosts.map((host) => host.stop()))
    for (const name of ['lan', ...names])
      await ip('netns', 'del', `peerstor-${process.pid}-${name}`).catch(() => undefined)
  })
  await ip('-n', lan, 'link', 'add', 'name', 'bridge', 'type', 'bridge')
  await ip('-n', lan, 'link', 'set', 'bridge', 'up')
  for (const [index, name] of names.entries()) {
    const host = `peerstor-${process.pid}-${name}`
    await ip('netns', 'add', host)
    await ip(
      '-n',
      lan,
      'link',
      'add',
      'name',
      `cable-${name}`,
      'type',
      'veth',
      'peer',
      'name',
      'lan',
      'netns',
      host,
    )
    await ip('-n', lan, 'link', 'set', `cable-${name}`, 'master', 'bridge', 'up')
    await ip('-n', host, 'addr', 'add', `10.77.0.${index + 1}/24`, 'dev', 'lan')
    for (const link of ['lo', 'lan']) await ip('-n', host, 'link', 'set', link, 'up')
  }
  return hosts as [Host, Host]
}
