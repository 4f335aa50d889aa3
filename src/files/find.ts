/**
 * Search over everything that this peer can open: best names first, then newest, page by page. The
 * index is asked in bounded looks, so that nobody waits behind a search for what is not there.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { FolderId } from '../base/words.ts'
import type { CategoryTotal, Page, Search, SearchFilter } from '../store/index-reader.ts'
import { soughtWords } from '../store/search-text.ts'
import type { EntryRow } from '../store/view.ts'
import { copiesOf } from './copies.ts'
import type { FilesParts } from './files-parts.ts'
import type { FindQuery, ListedEntry } from './files.ts'
import { fileLine, hidingOf } from './lines.ts'
import { mayRead } from './list.ts'
import { openPlace } from './place.ts'

const pageEntries = 100
/** Entries whose facts are made at once, when an older program left them to this one. */
const filledEntries = 5_000

/** Folders that are searched, by id, and the path below which. */
interface Scope {
  names: Map<FolderId, string>
  below?: string | undefined
}

export async function find(parts: FilesParts, query: FindQuery): Promise<Page<ListedEntry>> {
  const scope = scopeOf(parts, query.folder)
  const search: Search = {
    words: soughtWords(query.words ?? ''),
    filter: filterOf(query, scope),
    order: query.sort ?? 'rank',
  }
  const limit = Math.min(limits.listEntries, Math.max(1, query.limit ?? pageEntries))
  while (!parts.store.read.isSearchFilled()) {
    query.signal?.throwIfAborted()
    await parts.store.index([{ op: 'search', limit: filledEntries }])
  }
  const { entries, next } = await lookAlong(parts, scope, search, query, limit)
  return { entries: lines(parts, scope, entries), ...(next === undefined ? {} : { next }) }
}

/** Look after look until the page is full, without what the caller may not read. */
async function lookAlong(
  parts: FilesParts,
  scope: Scope,
  search: Search,
  { cursor, signal }: FindQuery,
  limit: number,
): Promise<Page<EntryRow>> {
  const isOpen = (entry: EntryRow): boolean =>
    mayRead(parts, `${scope.names.get(entry.folder)}/${entry.path}`)
  const entries: EntryRow[] = []
  for (let from = cursor; ;) {
    signal?.throwIfAborted()
    const step = parts.store.read.find(search, from, limit - entries.length)
    entries.push(...step.entries.filter(isOpen))
    from = step.next
    if (from === undefined) return { entries }
    if (entries.length === limit) return { entries, next: from }
    await parts.clock.sleep(0)
  }
}

/** Files and bytes of each category, of one folder or of all that the caller may read. */
export async function categories(
  parts: FilesParts,
  folder: string | undefined,
): Promise<{ entries: CategoryTotal[] }> {
  const { names, below } = scopeOf(parts, folder)
  if (below !== undefined && below !== '')
    throw fail('BAD_INPUT', { what: 'the folder', reason: 'categories are counted for whole folders' })
  const sums = new Map<string, CategoryTotal>()
  const whole = [...names].filter(([, name]) => mayRead(parts, name))
  for (const [id] of whole)
    for (const { category, files, bytes } of parts.store.read.categories(id)) {
      const sum = sums.get(category) ?? { category, files: 0, bytes: 0 }
      sums.set(category, { category, files: sum.files + files, bytes: sum.bytes + bytes })
    }
  return { entries: [...sums.values()].sort((a, b) => (a.category < b.category ? -1 : 1)) }
}

function scopeOf(parts: FilesParts, folder: string | undefined): Scope {
  if (folder !== undefined && folder !== '') {
    const place = openPlace(parts, 'read', folder)
    return { names: new Map([[place.id, place.folder]]), below: place.path }
  }
  const open = parts.catalogue.folders().filter((one) => one.open && one.name !== undefined)
  return { names: new Map(open.map(({ id, name }) => [id, name as string])) }
}

function filterOf(query: FindQuery, { names, below }: Scope): SearchFilter {
  const { tags, type, category, larger, smaller, newer, older } = query
  return { folders: [...names.keys()], below, tags, type, category, larger, smaller, newer, older }
}

/** As `ls` shows them, in the order found. */
function lines(parts: FilesParts, scope: Scope, entries: readonly EntryRow[]): ListedEntry[] {
  const made = new Map<EntryRow, ListedEntry>()
  for (const [id, group] of Map.groupBy(entries, (entry) => entry.folder)) {
    const copies = copiesOf(parts, id, group)
    const policy = parts.catalogue.folders().find((folder) => folder.id === id)?.policy
    const place = { id, folder: scope.names.get(id) ?? '', expireMs: policy?.expireMs }
    const hiding = hidingOf(parts, place, group)
    for (const entry of group)
      made.set(entry, fileLine(parts, place, entry, copies.get(entry.version), hiding.has(entry.path)))
  }
  return entries.map((entry) => made.get(entry)!)
}
