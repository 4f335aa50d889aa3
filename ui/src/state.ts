/** What the whole page shows: signed in or not, where we are, what the peer says. */
import { signal } from '@preact/signals'
import { api, ApiError, type Entry, type PeerLine, type Status, type Version } from './api.ts'

export type Place = { view: 'files'; path: string } | { view: 'devices' } | { view: 'trash' }

export const signedIn = signal<boolean | undefined>(undefined)
export const place = signal<Place>({ view: 'files', path: 'files' })
export const status = signal<Status | undefined>(undefined)
export const entries = signal<Entry[]>([])
export const nextPage = signal<string | undefined>(undefined)
export const loading = signal(false)
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
  const hash = to.view === 'files' ? `#/${to.path}` : `#!${to.view}`
  if (location.hash !== hash) history.pushState(undefined, '', hash)
  void refresh()
}

export function placeOfHash(hash: string): Place {
  if (hash === '#!devices') return { view: 'devices' }
  if (hash === '#!trash') return { view: 'trash' }
  const path = decodeURIComponent(hash.replace(/^#\/?/, ''))
  return { view: 'files', path: path === '' || path.startsWith('token=') ? 'files' : path }
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
      const page = await api.list(here.path)
      if (mine !== refreshes) return
      entries.value = page.entries
      nextPage.value = page.next
    } else if (here.view === 'trash') {
      const page = await api.trash('files')
      if (mine === refreshes) trashed.value = page.entries
    }
  })
  if (mine === refreshes) loading.value = false
}

export async function loadMore(): Promise<void> {
  const here = place.value
  const cursor = nextPage.value
  if (here.view !== 'files' || cursor === undefined) return
  await attempt(async () => {
    const page = await api.list(here.path, cursor)
    entries.value = [...entries.value, ...page.entries]
    nextPage.value = page.next
  })
}
