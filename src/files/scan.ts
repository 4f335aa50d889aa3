/**
 * The files of a folder as keys in the order of their UTF-8 bytes, as S3 lists them: those that begin
 * with a prefix, what has one delimiter more behind it rolled up into common prefixes. A folder made
 * on purpose is the key that ends in `/`. Costs what is shown: rolled-up keys are jumped over.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { EntryRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import type { Scan, ScannedKey, ScanOptions } from './files.ts'
import { openPlace, type Place } from './place.ts'

export async function scan(parts: FilesParts, folder: string, options: ScanOptions = {}): Promise<Scan> {
  const prefix = (options.prefix ?? '').normalize('NFC')
  const place = placeOf(parts, folder, prefix)
  const limit = Math.min(limits.listEntries, Math.max(0, options.limit ?? limits.listEntries))
  const found: Scan = { keys: [], prefixes: [] }
  if (limit === 0) return found
  const keys = new Keys(parts, place, laterOf(prefix, options.after ?? ''))
  const rolled = rolledUp(prefix, options.delimiter, options.after ?? '')
  if (rolled === options.after && rolled !== undefined) keys.seek(behind(rolled))
  for (let count = 0, last = ''; ; count += 1) {
    if (count % stepKeys === stepKeys - 1) await parts.clock.sleep(0)
    options.signal?.throwIfAborted()
    const key = keys.next(options.after)
    if (key === undefined || !key.key.startsWith(prefix)) return found
    if (count === limit) return { ...found, next: last }
    const common = rolledUp(prefix, options.delimiter, key.key)
    if (common === undefined) found.keys.push(key)
    else {
      found.prefixes.push(common)
      keys.seek(behind(common))
    }
    last = common ?? key.key
  }
}

/** Keys between two pauses for others. */
const stepKeys = 250

/** A caller confined to a folder below may list what lies in it. */
function placeOf(parts: FilesParts, folder: string, prefix: string): Place {
  const inside = prefix.slice(0, Math.max(0, prefix.lastIndexOf('/')))
  const place = openPlace(parts, 'read', inside === '' ? folder : `${folder}/${inside}`)
  if (folder.includes('/')) throw fail('BAD_PATH', { path: folder, reason: 'a folder has no / in its name' })
  return place
}

/** The part of a key up to the first delimiter behind the prefix. */
function rolledUp(prefix: string, delimiter: string | undefined, key: string): string | undefined {
  if (delimiter === undefined || delimiter === '' || !key.startsWith(prefix)) return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at === -1 ? undefined : key.slice(0, at + delimiter.length)
}

/** Walks all keys of a folder from one on. */
class Keys {
  readonly #parts: FilesParts
  readonly #place: Place
  #from: string
  #rows: EntryRow[] = []
  #rowsWanted = 32
  #ended = false
  /** Folders met whose key, with its `/`, comes behind further names: `a` before `a-b` before `a/`. */
  #waiting: ScannedKey[] = []

  constructor(parts: FilesParts, place: Place, from: string) {
    this.#parts = parts
    this.#place = place
    this.#from = from
    this.seek(from)
  }

  /** Goes on at the first key that is not before `from`. */
  seek(from: string): void {
    this.#from = from
    this.#rows = []
    this.#rowsWanted = 32
    this.#ended = false
    this.#waiting = [...foldersBefore(this.#parts, this.#place, from)]
  }

  /** The next key; never `after` itself nor one before it. */
  next(after = ''): ScannedKey | undefined {
    for (;;) {
      const key = this.#next()
      if (key === undefined || compare(key.key, after) > 0) return key
    }
  }

  #next(): ScannedKey | undefined {
    for (;;) {
      const row = this.#row()
      const waiting = this.#waiting[0]
      if (waiting !== undefined && (row === undefined || compare(waiting.key, row.path) < 0))
        return this.#waiting.shift()
      if (row === undefined) return undefined
      this.#rows.shift()
      if (row.kind !== 'folder') return keyOf(row)
      this.#waiting.push(keyOf(row))
      this.#waiting.sort((a, b) => compare(a.key, b.key))
    }
  }

  #row(): EntryRow | undefined {
    if (this.#rows.length === 0 && !this.#ended) {
      const { entries, next } = this.#parts.store.read.from(this.#place.id, this.#from, this.#rowsWanted)
      this.#rows = entries
      this.#ended = next === undefined
      this.#from = next ?? this.#from
      this.#rowsWanted = Math.min(limits.listEntries, this.#rowsWanted * 4)
    }
    return this.#rows[0]
  }
}

/** Folders named by a beginning of `from` whose keys are not before it: `a` of `a-b`, as `a/` comes later. */
function* foldersBefore(parts: FilesParts, place: Place, from: string): Generator<ScannedKey> {
  for (let end = 1; end < from.length; end += 1) {
    const path = from.slice(0, end)
    if (compare(`${path}/`, from) < 0) continue
    const entry = parts.store.read.entryAt(place.id, path)
    if (entry?.kind === 'folder') yield keyOf(entry)
  }
}

function keyOf({ path, kind, size, modified, hash, type }: EntryRow): ScannedKey {
  if (kind === 'folder') return { key: `${path}/`, size: 0, modified, hash, type }
  return { key: path, size, modified, hash, type }
}

/** The first text behind all that begin with `prefix`. */
function behind(prefix: string): string {
  const last = Array.from(prefix).at(-1) as string
  const code = last.codePointAt(0) as number
  // The code points of surrogates stand for nothing.
  const next = code === 0xd7ff ? 0xe000 : code + 1
  if (next > 0x10ffff) throw fail('BAD_INPUT', { what: 'the delimiter', reason: 'nothing comes behind it' })
  return prefix.slice(0, -last.length) + String.fromCodePoint(next)
}

const laterOf = (a: string, b: string): string => (compare(a, b) < 0 ? b : a)

/** By UTF-8 bytes, which is the order of code points and not that of JavaScript's own comparison. */
function compare(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}
