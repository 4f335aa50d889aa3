/**
 * Search over everything that this peer can open: best names first, then newest, page by page. The
 * index is asked in bounded looks, so that nobody waits behind a search for what is not there.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { FolderId } from '../base/words.ts'
import type { CategoryTotal, Found, Page, SearchFilter, SearchStage } from '../store/index-reader.ts'
import { soughtWords, type SoughtWords } from '../store/search-text.ts'
import type { EntryRow } from '../store/view.ts'
import { copiesOf } from './copies.ts'
import type { FilesParts } from './files-parts.ts'
import type { FindOrder, FindQuery, ListedEntry } from './files.ts'
import { fileLine, hidingOf } from './lines.ts'
import { mayRead } from './list.ts'
import { openPlace } from './place.ts'

const ranked: readonly SearchStage[] = ['name', 'start', 'word', 'part']
const pageEntries = 100

/** Folders that are searched, by id, and the path below which. */
interface Scope {
  names: Map<FolderId, string>
  below?: string | undefined
}

/** Where a page goes on: the place in the list of stages, and the number behind which. */
interface Position {
  stage: number
  from: number | undefined
}

export async function find(parts: FilesParts, query: FindQuery): Promise<Page<ListedEntry>> {
  const scope = scopeOf(parts, query.folder)
  const search = {
    parts,
    query,
    scope,
    words: soughtWords(query.words ?? ''),
    filter: filterOf(query, scope),
  }
  const limit = Math.min(limits.listEntries, Math.max(1, query.limit ?? pageEntries))
  const order = orders[query.sort ?? 'rank']
  const { entries, next } =
    order === undefined
      ? await inOrderOfTime(search, stagesOf(query, search.words), positionOf(query.cursor), limit)
      : await sorted(search, order, positionOf(query.cursor).from ?? 0, limit)
  return { entries: lines(parts, scope, entries), ...(next === undefined ? {} : { next }) }
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

interface Search {
  parts: FilesParts
  query: FindQuery
  scope: Scope
  words: SoughtWords
  filter: SearchFilter
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

function stagesOf({ sort }: FindQuery, { words }: SoughtWords): readonly SearchStage[] {
  if (sort === 'oldest') return ['oldest']
  return sort === 'newest' || words.length === 0 ? ['newest'] : ranked
}

async function inOrderOfTime(
  search: Search,
  stages: readonly SearchStage[],
  { stage, from }: Position,
  limit: number,
): Promise<Page<EntryRow>> {
  const entries: EntryRow[] = []
  while (stage < stages.length && entries.length < limit) {
    search.query.signal?.throwIfAborted()
    const step = look(search, stages[stage]!, from, limit - entries.length)
    entries.push(...step.found.map(({ entry }) => entry))
    from = step.next
    if (from === undefined) stage += 1
    else if (entries.length < limit) await search.parts.clock.sleep(0)
  }
  return { entries, ...(stage < stages.length ? { next: `${stage}.${from ?? ''}` } : {}) }
}

/** One look of the index, without what the caller may not read. */
function look(
  { parts, words, filter, scope }: Search,
  stage: SearchStage,
  from: number | undefined,
  limit: number,
): { found: Found[]; next?: number } {
  const step = parts.store.read.find(stage, words, filter, from, limit)
  const isOpen = ({ entry }: Found): boolean => mayRead(parts, pathOf(scope, entry))
  return { ...step, found: step.found.filter(isOpen) }
}

const pathOf = (scope: Scope, entry: EntryRow): string => `${scope.names.get(entry.folder)}/${entry.path}`

/** Other orders than by time: the newest matches, up to so many, are read and sorted. */
const sortedEntries = 10_000
const collator = new Intl.Collator('en', { numeric: true })
type Order = (a: EntryRow, b: EntryRow, scope: Scope) => number
const orders: Partial<Record<FindOrder, Order>> = {
  name: (a, b, scope) => collator.compare(pathOf(scope, a), pathOf(scope, b)),
  largest: (a, b) => b.size - a.size,
  smallest: (a, b) => a.size - b.size,
}

async function sorted(search: Search, order: Order, offset: number, limit: number): Promise<Page<EntryRow>> {
  const all: EntryRow[] = []
  let position: Position = { stage: 0, from: undefined }
  while (position.stage === 0 && all.length < sortedEntries) {
    const page = await inOrderOfTime(search, ['newest'], position, limits.listEntries)
    all.push(...page.entries)
    position = page.next === undefined ? { stage: 1, from: undefined } : positionOf(page.next)
  }
  const end = offset + limit
  const entries = all.sort((a, b) => order(a, b, search.scope)).slice(offset, end)
  return { entries, ...(end < all.length ? { next: `0.${end}` } : {}) }
}

function positionOf(cursor: string | undefined): Position {
  if (cursor === undefined) return { stage: 0, from: undefined }
  const [, stage, from] = /^([0-9])\.(\d{0,16})$/.exec(cursor) ?? []
  if (stage === undefined || from === undefined)
    throw fail('BAD_INPUT', { what: 'the cursor', reason: 'it is not one that a search gave' })
  return { stage: Number(stage), from: from === '' ? undefined : Number(from) }
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
