/** `get`: one file, or everything below a folder, with modes and times as they were. */
import type { Stats } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, symlink } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Client } from '../api/client.ts'
import { encodePath } from '../api/client.ts'
import { fail } from '../base/errors.ts'
import type { ListedEntry } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { limits } from '../base/limits.ts'
import { readPages } from './pages.ts'
import { PartFile } from './part-file.ts'
import { untilDone } from './resume.ts'
import type { SameFiles } from './same-files.ts'
import { Spelling } from './spelling.ts'
import { examples, wholeNumber } from './options.ts'
import { Progress, counted } from './progress.ts'
import { isFolder, localError } from './walk.ts'
import { plural, sizeText } from './words.ts'

interface Options {
  output?: string
  recursive?: boolean
  range?: string
  chunk?: number
  version?: string
}

interface Fetched {
  path: string
  size: number
  hash: string
  sources: string[]
  /** `get -r`: bytes that lay here already. */
  savedBytes?: number
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER/PATH')
    .option('-o, --output <OUT>', 'file or folder to write; - is standard output')
    .option('-r, --recursive', 'a folder with all that is below it')
    .option('--range <A-B>', 'bytes A to B, both included')
    .option('--chunk <N>', 'only this chunk, counted from 0: peerstor info PATH --chunks', wholeNumber)
    .option('--version <V>', 'an earlier version: peerstor versions PATH')
    .addHelpText(
      'after',
      examples('get files/cat.jpg', 'get -r files/photos -o photos', 'get files/log --range 0-99 -o -'),
    )
    .action(act(get))
}

async function get(context: Context, path: string, options: Options): Promise<void> {
  const client = await context.client()
  if (options.chunk !== undefined && (options.range !== undefined || options.recursive === true))
    throw fail('BAD_USAGE', { reason: '--chunk goes neither with --range nor with -r' })
  if (options.recursive === true) return getTree(context, client, path, options.output)
  const progress = new Progress(context.out)
  const out = outputOf(path, options.output)
  const fetched = await fetchFile(context, client, path, out, options, progress)
  progress.end()
  if (out === '-') return
  context.out.answer(fetched, () => context.out.line(`${out}  ${sizeText(fetched.size)}`))
}

/** `cat` and `-o -`. */
export async function printFile(context: Context, path: string, options: Options): Promise<void> {
  await fetchFile(context, await context.client(), path, '-', options, new Progress(context.out))
}

function outputOf(path: string, output: string | undefined): string {
  const name = path.split('/').at(-1) ?? path
  if (output === undefined) return name
  return output !== '-' && isFolder(output) ? join(output, name) : output
}

async function getTree(
  context: Context,
  client: Client,
  path: string,
  output: string | undefined,
): Promise<void> {
  const root = output ?? outputOf(path, undefined)
  await mkdir(root, { recursive: true })
  const at = path.replace(/\/+$/, '')
  // Loaded for whole folders only: a command must start fast.
  const [{ StatCache }, { SameFiles }] = await Promise.all([
    import('./stat-cache.ts'),
    import('./same-files.ts'),
  ])
  const cache = await StatCache.open(context.home, 'get', await realpath(root), at)
  const tree = new Tree(context, client, at, root, new SameFiles(cache, client, context.signal))
  const { progress } = tree
  try {
    for await (const entry of readPages<ListedEntry>(
      client,
      `/api/v1/list/${encodePath(path)}`,
      { recursive: true },
      context.signal,
    ))
      await tree.take(entry)
  } finally {
    await tree.end()
  }
  context.out.line(`fetched ${plural(progress.files, 'file')}, ${sizeText(progress.bytes)} to ${root}`)
  if (tree.same > 0)
    context.out.line(`${sizeText(tree.savedBytes)} saved: ${plural(tree.same, 'file')} here already`)
}

/** Files of a tree that are fetched at once: enough that neither side waits for the other. */
const filesAtOnce = 8

/** Everything below a folder on its way to the disk. */
class Tree {
  readonly progress: Progress
  /** Files that lay here already, and their bytes. */
  same = 0
  savedBytes = 0
  readonly #context: Context
  readonly #client: Client
  readonly #path: string
  readonly #root: string
  readonly #sameFiles: SameFiles
  readonly #links: ListedEntry[] = []
  /** What is being fetched, by its place as a disk that ignores case sees it. */
  readonly #running = new Map<string, Promise<void>>()
  readonly #spelled = new Spelling({
    has: async (place) => (await kindAt(place)) !== undefined,
    names: readdir,
  })
  /** Folders made or looked at: each only once. */
  readonly #folders = new Map<string, Promise<void>>()

  constructor(context: Context, client: Client, path: string, root: string, sameFiles: SameFiles) {
    this.progress = new Progress(context.out)
    this.#context = context
    this.#client = client
    this.#path = path
    this.#root = root
    this.#sameFiles = sameFiles
  }

  /** Begins to fetch an entry; waits while too many are under way. */
  async take(entry: ListedEntry): Promise<void> {
    if (entry.kind === 'link') return void this.#links.push(entry)
    this.#context.signal.throwIfAborted()
    const name = entry.path.normalize().toLowerCase()
    // Of two names that may be one file the second must find the first.
    await this.#running.get(name)
    this.#running.set(
      name,
      this.#one(entry).finally(() => this.#running.delete(name)),
    )
    if (this.#running.size >= filesAtOnce) await Promise.race(this.#running.values())
  }

  /** Links come last: nothing is ever written through one that came with the tree. */
  async end(): Promise<void> {
    await Promise.all(this.#running.values())
    for (const link of this.#links) if (!this.#context.signal.aborted) await this.#one(link)
    this.progress.end()
    await this.#sameFiles.save()
    this.#context.signal.throwIfAborted()
  }

  /** One entry's failure is reported, the rest goes on. */
  async #one(entry: ListedEntry): Promise<void> {
    const { out, signal } = this.#context
    try {
      const place = placeBelow(this.#root, entry.path.slice(this.#path.length + 1))
      if (entry.kind === 'folder') return await this.#folder(place)
      await this.#folder(dirname(place))
      await this.#spelled.require(place)
      const fetched = await this.#file(entry, place)
      if (out.json) out.content(JSON.stringify(fetched))
    } catch (thrown) {
      if (signal.aborted) return
      process.exitCode = 1
      out.problem(thrown)
    }
  }

  async #file(entry: ListedEntry, place: string): Promise<Fetched> {
    const { path, size, hash = '' } = entry
    if (entry.kind === 'file' && (await this.#sameFiles.has(entry, place))) {
      this.same += 1
      this.savedBytes += size
      return { path, size, hash, sources: [], savedBytes: size }
    }
    const fetched = await fetchFile(this.#context, this.#client, path, place, {}, this.progress)
    if (fetched.hash === hash && entry.kind === 'file') await this.#sameFiles.wrote(entry, place)
    return { ...fetched, savedBytes: 0 }
  }

  #folder(folder: string): Promise<void> {
    let made = this.#folders.get(folder)
    if (made === undefined) this.#folders.set(folder, (made = makeFolders(this.#root, folder)))
    return made
  }
}

/** Where a stored name goes on this disk: never above `root`, whatever the name. */
function placeBelow(root: string, name: string): string {
  const parts = name.split('/')
  const unsafe = parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))
  if (unsafe || (process.platform === 'win32' && /[\\:]/.test(name)))
    throw fail('BAD_PATH', { path: JSON.stringify(name), reason: 'it cannot be written on this device' })
  return join(root, ...parts)
}

/** Makes the folders from `root` down to `folder`; a link on the way is refused before anything is made behind it. */
async function makeFolders(root: string, folder: string): Promise<void> {
  for (let at = folder; at.length > root.length; at = dirname(at))
    if ((await kindAt(at))?.isSymbolicLink() === true)
      throw fail('BAD_PATH', { path: at, reason: 'a link stands in the way' })
  await mkdir(folder, { recursive: true }).catch((thrown: unknown) => {
    throw localError(thrown, folder)
  })
}

/** What lies at a local place; undefined: nothing, or nothing that can be looked at. */
const kindAt = (place: string): Promise<Stats | undefined> => lstat(place).catch(() => undefined)

async function fetchFile(
  context: Context,
  client: Client,
  path: string,
  out: string,
  options: Options,
  progress: Progress,
): Promise<Fetched> {
  const { signal } = context
  const headers: Record<string, string> =
    options.range === undefined ? {} : { range: `bytes=${rangeOf(options.range)}` }
  const query = { version: options.version }
  let answer =
    options.chunk === undefined
      ? await client.download(path, { query, headers, signal })
      : await client.chunk(path, options.chunk, { query, signal })
  const link = header(answer, 'peerstor-link')
  if (link !== undefined && out !== '-') await writeLink(decodeURIComponent(link), out, answer)
  else if (out === '-') await printBytes(answer, progress)
  else if (
    options.range === undefined &&
    options.chunk === undefined &&
    sizeOf(answer) >= limits.resumableBytes
  )
    answer = await writeLarge(context, client, path, out, answer, progress)
  else await writeFile(answer, out, progress, signal)
  progress.add(1, 0)
  return {
    path,
    size: sizeOf(answer),
    hash: header(answer, 'peerstor-hash') ?? '',
    sources: (answer.trailers['peerstor-sources'] ?? '').split(',').filter((peer) => peer !== ''),
  }
}

const sizeOf = (answer: IncomingMessage): number => Number(header(answer, 'peerstor-size') ?? 0)

/** A large file goes on after a break, and after an earlier command that broke off; the last answer. */
async function writeLarge(
  context: Context,
  client: Client,
  path: string,
  out: string,
  first: IncomingMessage,
  progress: Progress,
): Promise<IncomingMessage> {
  const hash = header(first, 'peerstor-hash') ?? ''
  let part: PartFile | undefined
  try {
    part = await PartFile.open(out, hash)
    const answer = await fillPart(context, client, path, first, part, progress)
    await restoreFacts(answer, part.file)
    await part.keepAs(out)
    return answer
  } catch (thrown) {
    await part?.leave().catch(() => undefined)
    throw localError(thrown, out)
  }
}

function fillPart(
  context: Context,
  client: Client,
  path: string,
  first: IncomingMessage,
  part: PartFile,
  progress: Progress,
): Promise<IncomingMessage> {
  // Whatever is stored there meanwhile: one file is of one version.
  const version = header(first, 'peerstor-version')
  let unused: IncomingMessage | undefined = first
  progress.add(0, part.offset)
  return untilDone(
    context,
    client,
    () => part.offset,
    async (now) => {
      if (part.offset === sizeOf(first)) return first
      let answer = unused
      unused = undefined
      if (answer === undefined || part.offset > 0) {
        answer?.destroy()
        const headers = { range: `bytes=${part.offset}-` }
        answer = await now.download(path, { query: { version }, headers, signal: context.signal })
      }
      for await (const piece of counted(unbroken(answer), progress)) await part.write(piece)
      return answer
    },
  )
}

/** The bytes of an answer; one that breaks off is `INTERRUPTED`. */
async function* unbroken(answer: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of answer) yield piece as Uint8Array
  } catch (thrown) {
    throw fail('INTERRUPTED', { what: 'the download' }, thrown)
  }
  requireWhole(answer)
}

function rangeOf(text: string): string {
  if (!/^\d{1,15}-\d{0,15}$|^-\d{1,15}$/.test(text))
    throw fail('BAD_USAGE', { reason: `range ${text} is not of the form A-B` })
  return text
}

async function printBytes(answer: IncomingMessage, progress: Progress): Promise<void> {
  await pipeline(counted(answer, progress), process.stdout, { end: false })
  requireWhole(answer)
}

/** Writes under a temporary name first: the name asked for is never a half file. */
async function writeFile(
  answer: IncomingMessage,
  out: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const temporary = join(dirname(out), `.${process.pid}-${nextPart()}.peerstor-part`)
  try {
    await fill(await open(temporary, 'wx'), answer, progress, signal)
    await rename(temporary, out)
  } catch (thrown) {
    await rm(temporary, { force: true })
    throw localError(thrown, out)
  }
}

/** Writes content, mode and time, then closes the file. */
async function fill(
  file: FileHandle,
  answer: IncomingMessage,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  try {
    await file.writeFile(counted(answer, progress), { signal })
    requireWhole(answer)
    await restoreFacts(answer, file)
  } finally {
    await file.close()
  }
}

let parts = 0
const nextPart = (): number => (parts += 1)

function requireWhole(answer: IncomingMessage): void {
  if (!answer.complete) throw fail('INTERRUPTED', { what: 'the download' })
}

async function restoreFacts(answer: IncomingMessage, file: FileHandle): Promise<void> {
  const mode = header(answer, 'peerstor-mode')
  const modified = header(answer, 'peerstor-modified')
  // Set-user and set-group bits are not taken from other devices.
  if (mode !== undefined) await file.chmod(Number.parseInt(mode, 8) & 0o777)
  if (modified !== undefined) await file.utimes(Number(modified) / 1000, Number(modified) / 1000)
}

async function writeLink(target: string, out: string, answer: IncomingMessage): Promise<void> {
  answer.resume()
  const temporary = join(dirname(out), `.${process.pid}-link.peerstor-part`)
  await rm(temporary, { force: true })
  await symlink(target, temporary)
  await rename(temporary, out)
}

function header(answer: IncomingMessage, name: string): string | undefined {
  const value = answer.headers[name]
  return typeof value === 'string' ? value : undefined
}
