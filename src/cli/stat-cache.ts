/**
 * What `put -r` stored of a local folder, or `get -r` wrote into one, and how each file looked then: one
 * that looks the same and shows unchanged on the peer is not read, or written, again. Kept in the home, by
 * hashes of names: names stand in the database alone. Without it everything is read.
 */
import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RecordHash } from '../base/words.ts'
import type { ListedEntry, PutResult } from '../peer/peer.ts'

/** How a file looked: size, times in microseconds, the low bits of its number. */
type Look = [size: number, modified: number, changed: number, inode: number]

type Line = [look: Look, hash: string, version: RecordHash]

/** A file that changed this short a time before it was read may change again without looking different. */
const freshMs = 1_000

export class StatCache {
  readonly #file: string
  readonly #below: string
  readonly #before: ReadonlyMap<string, Line>
  readonly #now = new Map<string, Line>()
  readonly #looks = new Map<string, Look>()

  private constructor(file: string, path: string, before: Readonly<Record<string, Line>>) {
    this.#file = file
    this.#below = `${path.normalize('NFC')}/`
    this.#before = new Map(Object.entries(before))
  }

  /** The cache of a local folder as it is put into `path`, or got from there. */
  static async open(home: string, command: 'put' | 'get', local: string, path: string): Promise<StatCache> {
    const file = join(home, `${command}-cache`, keyOf(`${local}\0${path}`))
    return new StatCache(file, path, await readLines(file))
  }

  get isEmpty(): boolean {
    return this.#before.size === 0
  }

  /** What lies at the peer of a file that looks as it did then, and that `listed` shows as it was stored. */
  unchanged(path: string, stats: Stats, listed: ListedEntry | undefined): PutResult | undefined {
    const found = path.startsWith(this.#below) ? this.#before.get(keyOf(path)) : undefined
    if (found === undefined || listed === undefined || listed.conflict === true) return undefined
    const [look, hash, version] = found
    if (lookOf(stats).some((value, at) => value !== look[at])) return undefined
    if (listed.hash !== undefined && listed.hash !== hash) return undefined
    const modified = listed.modified === null ? undefined : Date.parse(listed.modified)
    if (listed.size !== stats.size || modified !== Math.round(stats.mtimeMs)) return undefined
    this.#now.set(keyOf(path), found)
    const copies = listed.copies?.have ?? 0
    return { path, size: stats.size, hash, version, copies, sentBytes: 0, savedBytes: stats.size }
  }

  /** A file is about to be read. */
  reads(path: string, stats: Stats, nowMs: number): void {
    if (path.startsWith(this.#below) && nowMs - stats.ctimeMs > freshMs) this.#looks.set(path, lookOf(stats))
  }

  stored({ path, hash, version }: Pick<PutResult, 'path' | 'hash' | 'version'>): void {
    const look = this.#looks.get(path)
    if (look === undefined) return
    this.#now.set(keyOf(path), [look, hash, version])
  }

  /** It was written just now, with a time of its own: any change from here on shows in that. */
  wrote(path: string, stats: Stats, { hash, version }: Pick<ListedEntry, 'hash' | 'version'>): void {
    if (hash !== undefined && version !== undefined)
      this.#now.set(keyOf(path), [lookOf(stats), hash, version])
  }

  /** A home that cannot be written just has no cache. */
  async save(): Promise<void> {
    const temporary = `${this.#file}.${process.pid}.new`
    try {
      await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 })
      await writeFile(temporary, JSON.stringify(Object.fromEntries(this.#now)), { mode: 0o600 })
      await rename(temporary, this.#file)
    } catch {
      // The next run reads all files again.
    }
  }
}

function lookOf({ size, mtimeMs, ctimeMs, ino }: Stats): Look {
  const micros = (ms: number): number => Math.max(0, Math.round(ms * 1000))
  return [size, micros(mtimeMs), micros(ctimeMs), ino % 2 ** 32]
}

const keyOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)

/** Nothing where there is no cache, or something that is none. */
async function readLines(file: string): Promise<Record<string, Line>> {
  try {
    const saved: unknown = JSON.parse(await readFile(file, 'utf8'))
    const lines = Object.entries(saved ?? {}) as [string, unknown][]
    return Object.fromEntries(lines.filter((entry): entry is [string, Line] => isLine(entry[1])))
  } catch {
    return {}
  }
}

function isLine(value: unknown): value is Line {
  const [look, hash, version] = Array.isArray(value) ? (value as unknown[]) : []
  const isLook =
    Array.isArray(look) && look.length === 4 && look.every((number) => typeof number === 'number')
  return isLook && typeof hash === 'string' && typeof version === 'string'
}
