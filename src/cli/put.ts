/** `put`: files, whole trees or standard input. Small files travel together in one batch stream. */
import { realpathSync } from 'node:fs'
import { type BatchLine, type Client, encodePath } from '../api/client.ts'
import { factHeaders } from '../api/fact-headers.ts'
import { frameBytes } from '../api/frame-bytes.ts'
import { type PeerStorError, asPeerStorError, fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { FileInfo, ListedEntry, PutResult } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { readLarge, readSmall } from './local-file.ts'
import { examples, expiryText, wholeNumber } from './options.ts'
import { readPages } from './pages.ts'
import { Progress, counted } from './progress.ts'
import { putResumable } from './put-resumable.ts'
import type { StatCache } from './stat-cache.ts'
import { type Item, type WalkReport, isFolder, join2, nameOf, walk, walkNamed } from './walk.ts'
import { plural, sizeText } from './words.ts'

interface Page {
  entries: ListedEntry[]
}

interface Options {
  to?: string
  recursive?: boolean
  durability?: number
  expires?: string
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('<file...>', 'files and folders; - is standard input')
    .option('--to <FOLDER[/PATH]>', 'where to (default: folder files)')
    .option('-r, --recursive', 'folders with all that is below them')
    .option('--expires <WHEN>', 'to the trash by itself: after 7d, at a time, or never', expiryText)
    .option('--durability <N>', 'wait until N devices keep the file', wholeNumber)
    .addHelpText(
      'after',
      examples(
        'put cat.jpg',
        'put -r Photos --to files/2026',
        'put offer.pdf --expires 7d',
        'tar c . | peerstor put - --to files/backup.tar',
      ),
    )
    .action(act(put))
}

async function put(context: Context, files: string[], options: Options): Promise<void> {
  const client = await context.client()
  const job = new Put(context, client, options)
  if (files.includes('-')) await job.standardInput(files)
  else await job.files(files)
  // What is stored already is not sent again.
  const isFull = job.full !== undefined && !files.includes('-')
  if (isFull && (await makeRoom(context, client, job.full!))) return put(context, files, options)
  job.finish()
}

/** On a terminal a person may choose what goes instead; standard input is read once only. */
async function makeRoom(context: Context, client: Client, error: PeerStorError): Promise<boolean> {
  const { canAsk, offerToFree } = await import('./free-space.ts')
  if (!canAsk(context)) return false
  const folder = /^the quota of folder (.*) of \d+ bytes is full: /.exec(error.message)?.[1]
  // The space of this device comes back later: to try again at once would only ask again.
  return (await offerToFree(context, client, folder)) && folder !== undefined
}

/** One run of the command: what was stored, what failed. */
class Put {
  readonly #context: Context
  readonly #client: Client
  readonly #options: Options
  readonly #progress: Progress
  readonly #report: WalkReport = { skipped: 0, onProblem: (thrown) => this.#failed(thrown) }
  readonly #caches: StatCache[] = []
  #listed = new Map<string, ListedEntry>()
  #failures = 0
  /** A file met a full quota. */
  full: PeerStorError | undefined
  #unchanged = 0
  #sentBytes = 0
  #savedBytes = 0
  #last: PutResult | undefined

  constructor(context: Context, client: Client, options: Options) {
    this.#context = context
    this.#client = client
    this.#options = options
    this.#progress = new Progress(context.out)
  }

  async standardInput(files: string[]): Promise<void> {
    const path = this.#options.to ?? ''
    if (files.length > 1) throw fail('BAD_USAGE', { reason: '- stands alone' })
    if (!path.includes('/') || path.endsWith('/'))
      throw fail('BAD_USAGE', { reason: 'standard input needs a name: --to FOLDER/PATH' })
    // A pipe that says nothing must not keep the command from ending.
    this.#context.signal.addEventListener('abort', () => process.stdin.destroy())
    await this.#send(path, process.stdin, undefined, factHeaders({ expires: this.#options.expires }))
  }

  async files(files: string[]): Promise<void> {
    if (this.#options.recursive === true) await this.#openCaches(files)
    const items = await this.#items(files)
    const large: Extract<Item, { kind: 'file' }>[] = []
    const folders: string[] = []
    await this.#batch(items, large, folders)
    for (const path of folders) await this.#attempt(() => this.#makeFolder(path))
    for (const item of large) await this.#attempt(() => this.#sendLarge(item))
    for (const cache of this.#caches) await cache.save()
  }

  /** What `put -r` of the same folders stored before, and what the peer shows of it now. */
  async #openCaches(files: readonly string[]): Promise<void> {
    const { home, signal } = this.#context
    // Loaded for whole folders only: a command must start fast.
    const { StatCache } = await import('./stat-cache.ts')
    for (const file of files.filter(isFolder)) {
      const to = join2(this.#options.to ?? 'files', nameOf(file))
      const cache = await StatCache.open(home, 'put', realpathSync(file), to)
      this.#caches.push(cache)
      if (cache.isEmpty) continue
      const listed = readPages<ListedEntry>(
        this.#client,
        `/api/v1/list/${encodePath(to)}`,
        { recursive: true },
        signal,
      )
      try {
        for await (const entry of listed) this.#listed.set(entry.path, entry)
      } catch (thrown) {
        if (!isCode(thrown, 'NOT_FOUND')) throw thrown
      }
    }
  }

  /** A file that an earlier run stored, that looks as it did then, and that the peer shows as it was stored. */
  #isUnchanged({ path, stats }: Extract<Item, { kind: 'file' }>): boolean {
    const name = path.normalize('NFC')
    for (const cache of this.#caches) {
      const known = cache.unchanged(name, stats, this.#listed.get(name))
      const isAsked =
        this.#options.expires === undefined && (known?.copies ?? 0) >= (this.#options.durability ?? 0)
      if (known !== undefined && isAsked) {
        this.#unchanged += 1
        this.#stored(known, 0)
        return true
      }
      cache.reads(name, stats, Date.now())
    }
    return false
  }

  async #sendLarge(item: Extract<Item, { kind: 'file' }>): Promise<void> {
    const { path, local, stats } = item
    const facts = { ...factsOf(item), expires: this.#options.expires }
    if (stats.size < limits.resumableBytes)
      return this.#send(path, readLarge(local, stats), stats.size, factHeaders(facts))
    const { durability } = this.#options
    const file = { path, local, stats, facts, durability }
    try {
      this.#stored(await putResumable(this.#context, this.#client, file, this.#progress), 0)
    } catch (thrown) {
      // An upload that can go on lies here until its end; one in one go may pass on what does not fit.
      if (!isCode(thrown, 'QUOTA_FULL')) throw thrown
      await this.#send(path, readLarge(local, stats), stats.size, factHeaders(facts))
    }
  }

  /** Says how it went; a failure of any file is one of the command. */
  finish(): void {
    const { out } = this.#context
    this.#progress.end()
    const { bytes, seconds } = this.#progress
    const files = this.#progress.files - this.#unchanged
    if (files === 1 && this.#unchanged === 0 && this.#last !== undefined)
      out.line(`stored ${this.#last.path}  ${sizeText(this.#last.size)}  copies ${this.#last.copies}`)
    else out.line(`stored ${plural(files, 'file')}, ${sizeText(bytes)} in ${seconds.toFixed(1)} s`)
    if (this.#savedBytes > 0)
      out.line(
        `${sizeText(this.#savedBytes)} saved: ` +
          `${plural(this.#unchanged, 'file')} unchanged, ${sizeText(this.#sentBytes)} of new chunks`,
      )
    if (this.#report.skipped > 0)
      out.note(
        `left out ${plural(this.#report.skipped, 'pipe, socket or device', 'pipes, sockets or devices')}: only files, folders and links are stored`,
      )
    if (this.#failures > 0) process.exitCode = 1
  }

  async #items(files: string[]): Promise<Iterable<Item>> {
    const { to = 'files', recursive } = this.#options
    for (const file of files)
      if (recursive !== true && isFolder(file)) throw fail('IS_FOLDER', { path: file })
    const report = this.#report
    const [only] = files
    if (files.length === 1 && only !== undefined && recursive !== true && !(await this.#isFolder(to)))
      return walk(only, to, report)
    return (function* () {
      for (const file of files) yield* walkNamed(file, to, report)
    })()
  }

  /** Whether `--to` names a place for files rather than the new file itself. */
  async #isFolder(to: string): Promise<boolean> {
    if (!to.includes('/') || to.endsWith('/')) return true
    const { signal } = this.#context
    const at = encodePath(to)
    try {
      const { entries } = await this.#client.get<Page>(`/api/v1/list/${at}`, { limit: 1 }, signal)
      if (entries.some((entry) => entry.path.startsWith(`${to}/`))) return true
      return (await this.#client.get<FileInfo>(`/api/v1/files/${at}`, {}, signal)).kind === 'folder'
    } catch (thrown) {
      if (isCode(thrown, 'NOT_FOUND')) return false
      throw thrown
    }
  }

  /** Sends small files and links as one stream; sets aside what goes another way. */
  async #batch(
    items: Iterable<Item>,
    large: Extract<Item, { kind: 'file' }>[],
    folders: string[],
  ): Promise<void> {
    const iterator = items[Symbol.iterator]()
    const failed = (thrown: unknown): void => this.#failed(thrown)
    const { expires } = this.#options
    const isUnchanged = (item: Extract<Item, { kind: 'file' }>): boolean => this.#isUnchanged(item)
    const frames = async function* (): AsyncGenerator<Uint8Array> {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        const item = next.value
        if (item.kind === 'empty-folder') folders.push(item.path)
        else if (item.kind === 'file' && isUnchanged(item)) continue
        else if (item.kind === 'file' && item.stats.size > limits.batchFileBytes) large.push(item)
        else yield* frameOf(item, expires, failed)
      }
    }
    const query = { durability: this.#options.durability }
    for await (const line of this.#client.batch(frames(), { query, signal: this.#context.signal }))
      this.#acknowledged(line)
  }

  #acknowledged(line: BatchLine): void {
    if ('error' in line) this.#failed(Object.assign(fail(line.error.code), line.error))
    else this.#stored(line, line.size)
  }

  async #send(
    path: string,
    source: AsyncIterable<Uint8Array>,
    size: number | undefined,
    headers: Record<string, string>,
  ): Promise<void> {
    const { signal } = this.#context
    const query = { durability: this.#options.durability }
    this.#stored(
      await this.#client.upload(path, counted(source, this.#progress), size, { query, headers, signal }),
      0,
    )
  }

  /** A folder that is there already is what was wanted. */
  async #makeFolder(path: string): Promise<void> {
    const { signal } = this.#context
    const at = `/api/v1/files/${encodePath(path)}`
    try {
      await this.#client.call('POST', at, { body: { kind: 'folder' }, signal })
    } catch (thrown) {
      if (!isCode(thrown, 'ALREADY_EXISTS')) throw thrown
      if ((await this.#client.get<FileInfo>(at, {}, signal)).kind !== 'folder') throw thrown
    }
  }

  #stored(result: PutResult, bytes: number): void {
    const want = this.#options.durability ?? 0
    this.#last = result
    this.#sentBytes += result.sentBytes
    this.#savedBytes += result.savedBytes
    for (const cache of this.#caches) cache.stored(result)
    this.#progress.add(1, bytes)
    if (this.#context.out.json) this.#context.out.content(JSON.stringify(result))
    if (result.copies < want)
      this.#failed(fail('DURABILITY_PENDING', { path: result.path, have: result.copies, want }))
  }

  #failed(thrown: unknown): void {
    this.#failures += 1
    if (isCode(thrown, 'QUOTA_FULL')) this.full = asPeerStorError(thrown)
    this.#progress.end()
    this.#context.out.problem(thrown)
  }

  /** One file's failure is reported, the rest goes on; one of the whole command ends it. */
  async #attempt(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (thrown) {
      const error = asPeerStorError(thrown)
      if (this.#context.signal.aborted || error.code === 'PEER_NOT_RUNNING' || error.code === 'INTERRUPTED')
        throw thrown
      this.#failed(thrown)
    }
  }
}

function* frameOf(
  item: Extract<Item, { kind: 'file' | 'link' }>,
  expires: string | undefined,
  failed: (thrown: unknown) => void,
): Generator<Uint8Array> {
  try {
    const content = item.kind === 'file' ? readSmall(item.local, item.stats) : new Uint8Array(0)
    yield* frameBytes({ path: item.path, size: content.length, ...factsOf(item), expires }, content)
  } catch (thrown) {
    failed(thrown)
  }
}

function factsOf(item: Extract<Item, { kind: 'file' | 'link' }>): {
  mode: number
  modified: number
  link?: string
} {
  const { mode, mtimeMs } = item.stats
  const facts = { mode: mode & 0o7777, modified: Math.max(0, Math.round(mtimeMs)) }
  return item.kind === 'link' ? { ...facts, link: item.target } : facts
}
