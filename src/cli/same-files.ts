/**
 * Files of `get -r` that lie here already as they are stored: those that look as an earlier run left them,
 * and large ones whose content is compared by SHA-256. They are not fetched, and written no byte of.
 */
import type { Stats } from 'node:fs'
import { chmod, lstat, utimes } from 'node:fs/promises'
import { type Client, encodePath } from '../api/client.ts'
import { Sha256 } from '../codec/sha256.ts'
import type { FileInfo, ListedEntry } from '../peer/peer.ts'
import { readLarge } from './local-file.ts'
import type { StatCache } from './stat-cache.ts'

/** To ask for a hash costs as much as to fetch so little. */
const askedFromBytes = 256 * 1024

export class SameFiles {
  readonly #cache: StatCache
  readonly #client: Client
  readonly #signal: AbortSignal

  constructor(cache: StatCache, client: Client, signal: AbortSignal) {
    this.#cache = cache
    this.#client = client
    this.#signal = signal
  }

  /** Whether `place` holds the file; then it has its time and mode too. */
  async has(entry: ListedEntry, place: string): Promise<boolean> {
    const stats = await lstat(place).catch(() => undefined)
    if (stats?.isFile() !== true || stats.size !== entry.size) return false
    if (this.#cache.unchanged(entry.path, stats, entry) !== undefined && isMode(entry, stats)) return true
    const same = entry.size >= askedFromBytes && (await this.#isSame(entry, place, stats))
    if (same) await this.#restore(entry, place)
    return same
  }

  /** `place` was written as the peer listed it. */
  async wrote(entry: ListedEntry, place: string): Promise<void> {
    const stats = await lstat(place).catch(() => undefined)
    if (stats !== undefined) this.#cache.wrote(entry.path, stats, entry)
  }

  save(): Promise<void> {
    return this.#cache.save()
  }

  async #isSame(entry: ListedEntry, place: string, stats: Stats): Promise<boolean> {
    const at = `/api/v1/files/${encodePath(entry.path)}`
    const stored = this.#client.get<FileInfo>(at, { sha256: true }, this.#signal)
    const here = sha256Of(place, stats)
    const [info, hash] = await Promise.all([stored, here])
    return info.version === entry.version && info.sha256 === hash
  }

  async #restore(entry: ListedEntry, place: string): Promise<void> {
    const seconds = Date.parse(entry.modified ?? '') / 1000
    if (entry.mode !== undefined) await chmod(place, entry.mode & 0o777)
    await utimes(place, seconds, seconds)
    await this.wrote(entry, place)
  }
}

const isMode = ({ mode }: ListedEntry, stats: Stats): boolean =>
  mode === undefined || process.platform === 'win32' || (stats.mode & 0o777) === (mode & 0o777)

/** Undefined for a file that cannot be read, or changes meanwhile: then it is fetched. */
async function sha256Of(place: string, stats: Stats): Promise<string | undefined> {
  const hash = new Sha256()
  try {
    for await (const piece of readLarge(place, stats)) hash.add(piece)
    return hash.hex()
  } catch {
    return undefined
  }
}
