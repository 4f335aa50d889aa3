/**
 * `peerstor demo`: four real processes in a temporary folder store real files, two are killed, and
 * everything is read back. Each check is narrated with pids and hashes; nothing outside the temporary
 * folder is written, and it is removed at the end.
 */
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { PeerProcess, thisProgram } from './peer-process.ts'
import { asPeerStorError } from '../base/errors.ts'
import { filesBelow, findNeedles, randomWindows } from './demo-scan.ts'

export interface DemoCheck {
  check: string
  ok: boolean
  /** What was found: counts, pids, hashes. */
  found: string
}

export interface DemoOptions {
  /** Called with each sentence and each check as it happens. */
  onStep(sentence: string): void
  onCheck(check: DemoCheck): void
  signal: AbortSignal
}

interface Listed {
  path: string
  kind: string
  size: number
  copies?: { have: number; want: number }
}

const settleMs = 120_000
const demoSettings = ['--no-mdns', '--contribute', '8GB', '--log', 'error']

/** Runs the whole demo; resolves to its checks. */
export async function runDemo(options: DemoOptions): Promise<DemoCheck[]> {
  const folder = await mkdtemp(join(tmpdir(), 'peerstor-demo-'))
  const demo = new Demo(folder, options)
  try {
    await demo.run()
  } catch (thrown) {
    demo.check(
      'the demo ran to its end',
      false,
      [asPeerStorError(thrown).message, ...demo.deaths()].join('; '),
    )
  } finally {
    await demo.end()
    await rm(folder, { recursive: true, force: true })
  }
  return demo.checks
}

class Demo {
  readonly checks: DemoCheck[] = []
  readonly #folder: string
  readonly #options: DemoOptions
  readonly #peers: PeerProcess[]

  constructor(folder: string, options: DemoOptions) {
    this.#folder = folder
    this.#options = options
    this.#peers = ['laptop', 'desktop', 'tablet', 'nas'].map(
      (name) => new PeerProcess(thisProgram, name, join(folder, name), demoSettings),
    )
  }

  async run(): Promise<void> {
    const [laptop, desktop, tablet, nas] = this.#peers as [PeerProcess, PeerProcess, PeerProcess, PeerProcess]
    const source = await this.#realFiles()
    await this.#grow(laptop, desktop, tablet, nas)
    const before = await this.#put(laptop, source)
    await this.#waitForCopies('every file has 3 copies on 3 devices', laptop, before.size, 3)
    await this.#scanStorageOnly(nas, source)
    await this.#kill(laptop, desktop)
    await this.#readBack('every file is read back byte-identical from the two that remain', tablet, before)
    await this.#comeBack(laptop, desktop)
    await this.#readBack('the killed devices are back: nothing doubled, nothing lost', laptop, before)
    await this.#waitForCopies('every file has its 3 copies again', laptop, before.size, 3)
  }

  /** Peers that ended by themselves. */
  deaths(): string[] {
    return this.#peers.flatMap(({ name, died }) => (died === undefined ? [] : [`${name} ${died}`]))
  }

  async end(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.stop()))
  }

  check(check: string, ok: boolean, found: string): void {
    const line = { check, ok, found }
    this.checks.push(line)
    this.#options.onCheck(line)
  }

  #say(sentence: string): void {
    this.#options.onStep(sentence)
  }

  /** Real files: the Node that runs this, with the headers and documents it came with where they are there. */
  async #realFiles(): Promise<string> {
    const source = join(this.#folder, 'files-of-node')
    await mkdir(source)
    await cp(process.execPath, join(source, basename(process.execPath)))
    const distribution = dirname(dirname(process.execPath))
    for (const part of ['include', 'share', 'README.md', 'LICENSE', 'CHANGELOG.md'])
      if (await exists(join(distribution, part)))
        await cp(join(distribution, part), join(source, part), { recursive: true })
    return source
  }

  async #grow(laptop: PeerProcess, ...others: PeerProcess[]): Promise<void> {
    const { signal } = this.#options
    await laptop.start(signal)
    this.#say(`laptop runs (pid ${laptop.pid}) and made a new pool`)
    for (const peer of others) {
      const storageOnly = peer.name === 'nas' ? ['--storage-only'] : []
      const invite = await laptop.json<{ code: string }>(['invite', ...storageOnly], signal)
      await peer.start(signal, invite.code)
      this.#say(
        `${peer.name} joined with a code (pid ${peer.pid})${storageOnly.length > 0 ? ', for storage only' : ''}`,
      )
    }
    const found = await laptop.json<{ peers: unknown[] }>(['peers'], signal)
    this.check('four devices form one pool', found.peers.length === 4, `${found.peers.length} devices`)
  }

  async #put(laptop: PeerProcess, source: string): Promise<Map<string, string>> {
    const hashes = await hashTree(source, basename(source))
    const began = Date.now()
    await laptop.run(['put', '-r', source, '--quiet'], this.#options.signal)
    const seconds = ((Date.now() - began) / 1000).toFixed(1)
    this.#say(`put ${hashes.size} files on laptop in ${seconds} s; SHA-256 over all: ${digestOf(hashes)}`)
    return hashes
  }

  async #list(peer: PeerProcess): Promise<Listed[]> {
    const found: Listed[] = []
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const more: string[] = cursor === '' ? [] : ['--cursor', cursor]
      const page = await peer.json<{ entries: Listed[]; next?: string }>(
        ['ls', '-r', 'files', '--limit', '1000', ...more],
        this.#options.signal,
      )
      found.push(...page.entries)
      cursor = page.next
    }
    return found.filter((entry) => entry.kind === 'file')
  }

  async #waitForCopies(check: string, peer: PeerProcess, files: number, want: number): Promise<void> {
    const began = Date.now()
    for (;;) {
      const listed = await this.#list(peer)
      const safe = listed.filter((entry) => (entry.copies?.have ?? 0) >= want).length
      const seconds = ((Date.now() - began) / 1000).toFixed(1)
      if (safe === files && listed.length === files)
        return this.check(check, true, `${safe} of ${files} after ${seconds} s`)
      if (Date.now() - began > settleMs)
        return this.check(check, false, `${safe} of ${files} after ${seconds} s`)
      await wait(500, undefined, { signal: this.#options.signal })
    }
  }

  /** Random windows of content and names must be nowhere in the storage-only device's home. */
  async #scanStorageOnly(nas: PeerProcess, source: string): Promise<void> {
    const files = await filesBelow(source)
    const windows = await randomWindows(files, 1000, 32)
    const names = [...new Set(files.map((file) => basename(file)).filter((name) => name.length > 8))].map(
      (name) => Buffer.from(name),
    )
    const hits = await findNeedles(await filesBelow(nas.home), [...windows, ...names])
    this.check(
      'the storage-only device holds no name and no byte of content',
      hits.size === 0,
      `${hits.size} hits of ${windows.length} windows and ${names.length} names`,
    )
  }

  async #kill(...peers: PeerProcess[]): Promise<void> {
    for (const peer of peers) {
      this.#say(`kill -9 ${peer.name} (pid ${peer.pid})`)
      await peer.kill()
    }
  }

  async #readBack(check: string, peer: PeerProcess, before: Map<string, string>): Promise<void> {
    const output = join(this.#folder, `read-from-${peer.name}-${this.checks.length}`)
    const listed = await this.#list(peer)
    await peer.run(['get', '-r', 'files', '-o', output, '--quiet'], this.#options.signal)
    const top = [...before.keys()][0]?.split('/')[0] ?? ''
    const after = await hashTree(join(output, top), top)
    const same = digestOf(after) === digestOf(before) && listed.length === before.size
    this.check(check, same, `${after.size} files, SHA-256 over all: ${digestOf(after)}`)
    await rm(output, { recursive: true, force: true })
  }

  async #comeBack(...peers: PeerProcess[]): Promise<void> {
    for (const peer of peers) {
      await peer.start(this.#options.signal)
      this.#say(`${peer.name} is back (pid ${peer.pid})`)
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

/** `top/path` → SHA-256 of every regular file below a folder. */
async function hashTree(folder: string, top: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>()
  for (const file of (await filesBelow(folder)).toSorted()) {
    const name = join(top, relative(folder, file)).replaceAll('\\', '/')
    hashes.set(
      name,
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    )
  }
  return hashes
}

function digestOf(hashes: Map<string, string>): string {
  const lines = [...hashes]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hash]) => `${hash}  ${name}\n`)
  return createHash('sha256').update(lines.join('')).digest('hex').slice(0, 16)
}
