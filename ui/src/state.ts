/** What the whole page shows: signed in or not, where we are, what the peer says. */
import { signal } from '@preact/signals'
import {
  api,
  ApiError,
  categories,
  type CategoryTotal,
  type Entry,
  type PeerLine,
  searchText,
  type SearchQuery,
  type Status,
  type Version,
} from './api.ts'

export type Place =
  /** `at`: as it was at a time, RFC 3339. */
  | { view: 'files'; path: string; at?: string }
  | { view: 'search'; query: SearchQuery }
  | { view: 'devices' }
  | { view: 'trash' }

export const signedIn = signal<boolean | undefined>(undefined)
export const place = signal<Place>({ view: 'files', path: 'files' })
export const status = signal<Status | undefined>(undefined)
export const entries = signal<Entry[]>([])
export const nextPage = signal<string | undefined>(undefined)
export const loading = signal(false)
/** Files of each category, while searching. */
export const totals = signal<CategoryTotal[]>([])
export const trashed = signal<Version[]>([])
export const peers = signal<PeerLine[]>([])
export const connected = signal(true)
/** The file whose details are open. */
export const selected = signal<string | undefined>(undefined)

export interface Notice {
  id: number
  text: string
  kind: 'info' | 'error'
  action?: { label: string; run: () => void }
}
export const notices = signal<Notice[]>([])

let noticeId = 0

/** Shows a notice for some seconds; errors stay longer. */
export function notify(text: string, kind: Notice['kind'] = 'info', action?: Notice['action']): void {
  const id = ++noticeId
  notices.value = [...notices.value, { id, text, kind, ...(action === undefined ? {} : { action }) }]
  setTimeout(
    () => (notices.value = notices.value.filter((notice) => notice.id !== id)),
    kind === 'error' ? 12_000 : 7_000,
  )
}

/** Runs an action; what goes wrong is shown with the next step, and a lost session leads to the sign-in page. */
export async function attempt(run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (thrown) {
    if (thrown instanceof ApiError && thrown.status === 401) signedIn.value = false
    else if (thrown instanceof ApiError)
      notify([thrown.message, thrown.next].filter(Boolean).join(' — '), 'error')
    else connected.value = false
  }
}

export function go(to: Place): void {
  selected.value = undefined
  place.value = to
  const hash = hashOf(to)
  if (location.hash !== hash) history.pushState(undefined, '', hash)
  void refresh()
}

function hashOf(to: Place): string {
  if (to.view === 'files')
    return to.at === undefined ? `#/${to.path}` : `#!then?${searchText({ path: to.path, at: to.at })}`
  return to.view === 'search' ? `#!search?${searchText({ ...to.query })}` : `#!${to.view}`
}

/** Where the search began: leaving it leads back there. */
let beforeSearch: Place = place.value

/** Shows what is found; without anything to look for, the place before. Each letter replaces the last in the history. */
export function search(query: SearchQuery): void {
  const here = place.value
  if (here.view !== 'search') beforeSearch = here
  const isEmpty = query.words === '' && query.tag === undefined && query.category === undefined
  if (isEmpty) return go(beforeSearch)
  if (here.view !== 'search') return go({ view: 'search', query })
  place.value = { view: 'search', query }
  history.replaceState(undefined, '', hashOf(place.value))
  void refresh()
}

export function placeOfHash(hash: string): Place {
  if (hash === '#!devices') return { view: 'devices' }
  if (hash === '#!trash') return { view: 'trash' }
  if (hash.startsWith('#!search?')) return { view: 'search', query: queryOf(hash.slice(9)) }
  if (hash.startsWith('#!then?')) return thenOf(hash.slice(7))
  const path = decodeURIComponent(hash.replace(/^#\/?/, ''))
  return { view: 'files', path: path === '' || path.startsWith('token=') ? 'files' : path }
}

function thenOf(text: string): Place {
  const given = new URLSearchParams(text)
  const at = given.get('at')
  const isTime = at !== null && !Number.isNaN(Date.parse(at))
  return { view: 'files', path: given.get('path') || 'files', ...(isTime && { at }) }
}

function queryOf(text: string): SearchQuery {
  const given = new URLSearchParams(text)
  const tag = given.get('tag')
  const category = categories.find((name) => name === given.get('category'))
  return { words: given.get('words') ?? '', ...(tag && { tag }), ...(category && { category }) }
}

let refreshes = 0

/** Reads anew what the present place shows. The last call wins. */
export async function refresh(): Promise<void> {
  const mine = ++refreshes
  const here = place.value
  loading.value = true
  await attempt(async () => {
    const [newStatus, newPeers] = await Promise.all([api.status(), api.peers()])
    if (mine !== refreshes) return
    status.value = newStatus
    peers.value = newPeers.peers
    connected.value = true
    if (here.view === 'files') {
      const page = await api.list(here.path, here.at)
      if (mine !== refreshes) return
      entries.value = page.entries
      nextPage.value = page.next
    } else if (here.view === 'search') {
      const [page, counted] = await Promise.all([api.search(here.query), api.categories()])
      if (mine !== refreshes) return
      entries.value = page.entries
      nextPage.value = page.next
      totals.value = counted.entries
    } else if (here.view === 'trash') {
      const found = await everyTrash()
      if (mine === refreshes) trashed.value = found
    }
  })
  if (mine === refreshes) loading.value = false
}

/** The latest of every folder's trash. */
async function everyTrash(): Promise<Version[]> {
  const folders = await api.folders()
  const pages = await Promise.all(folders.entries.map(({ path }) => api.trash(path)))
  return pages.flatMap((page) => page.entries).sort((a, b) => b.written.localeCompare(a.written))
}

export async function loadMore(): Promise<void> {
  const here = place.value
  const cursor = nextPage.value
  if (cursor === undefined || (here.view !== 'files' && here.view !== 'search')) return
  await attempt(async () => {
    const page =
      here.view === 'files'
        ? await api.list(here.path, here.at, cursor)
        : await api.search(here.query, cursor)
    entries.value = [...entries.value, ...page.entries]
    nextPage.value = page.next
  })
}
