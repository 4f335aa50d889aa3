/** Calls to the peer's REST API. Shapes are those of the public contract. */
import { encodePath } from './format.ts'

export interface Entry {
  path: string
  kind: 'file' | 'folder' | 'link'
  size: number
  modified: string | null
  type: string
  version?: string
  copies?: { have: number; want: number }
  files?: number
  conflict?: boolean
  tags?: string[]
}

export const categories = ['image', 'video', 'audio', 'document', 'code', 'archive', 'other'] as const
export type Category = (typeof categories)[number]

export interface SearchQuery {
  words: string
  tag?: string
  category?: Category
}

export interface CategoryTotal {
  category: Category
  files: number
  bytes: number
}

/** What is said of a file; what is left out stays. */
export interface Description {
  addTags?: string[]
  removeTags?: string[]
  description?: string
  category?: Category | null
  priority?: boolean
}

export interface Version {
  version: string
  path: string
  kind: string
  size: number
  modified: string
  written: string
  author: string
  hash: string
  state: 'current' | 'conflict' | 'old' | 'held' | 'future'
}

/** What bringing a folder back did, or would do. */
export interface TreeRestored {
  returned: number
  changed: number
  removed: number
  undo?: string
}

export interface Holder {
  peer: string
  name: string
  zone?: string
  state: 'online' | 'offline'
  lastSeen?: string
  verified?: string
  /** Copies that would be left without it. */
  left: number
}

export interface FileInfo {
  path: string
  size: number
  hash: string
  created: string
  modified: string
  type: string
  category: Category
  tags: string[]
  description: string
  author: string
  versions: Version[]
  copies: { have: number; want: number; possible: number; holders: Holder[]; statement: string }
  priority: boolean
}

export interface PeerLine {
  peer: string
  name: string
  role: string
  addresses: string[]
  path?: string
  state: 'self' | 'online' | 'offline'
  latencyMs?: number
  lastSeen?: string
  version?: string
  storage?: { used: number; contributed: number }
}

export interface Status {
  peer: string
  name: string
  version: string
  pool: { id: string; role: string; peers: number }
  storage: { used: number; contributed: number; free: number }
  files: { count: number; bytes: number }
  safety: { safe: number; degraded: number; lost: number; statement: string; needs?: 'device' | 'keys' }
  warnings: string[]
}

export interface Problem {
  kind: string
  subject?: string
  what: string
  severity: 'error' | 'warning' | 'hint'
  next: string
}

export interface Alert extends Problem {
  id: string
  time: string
  state: 'raised' | 'cleared' | 'noticed'
}

export interface DeviceLine {
  peer?: string
  state: 'active' | 'retiring' | 'revoked'
}

export interface Retiring {
  phase: 'active' | 'moving' | 'checking' | 'safe'
  statement: string
}

export interface WorkerLine {
  name: string
  state: 'running' | 'waiting' | 'paused' | 'failed'
  status: string
  lastError?: string
}

export interface Invite {
  code: string
  link: string
  expires: string
}

/** A refused call: `message` says what failed, `next` what to do. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly next: string

  constructor(status: number, code: string, message: string, next: string) {
    super(message)
    this.status = status
    this.code = code
    this.next = next
  }
}

export async function apiError(response: { status: number; json(): Promise<unknown> }): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>
  const text = (key: string): string => (typeof body[key] === 'string' ? body[key] : '')
  return new ApiError(
    response.status,
    text('code'),
    text('detail') || text('title') || `HTTP ${response.status}`,
    text('next'),
  )
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(path, {
    method,
    credentials: 'same-origin',
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  if (!response.ok) throw await apiError(response)
  return (response.status === 204 ? undefined : await response.json()) as T
}

/** The parameters that are given. */
export function searchText(query: Record<string, string | undefined>): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]))
  return new URLSearchParams(given).toString()
}

const filesUrl = (path: string): string => `/api/v1/files/${encodePath(path)}`

export const api = {
  signIn: (shown: { token: string } | { password: string }) => call<void>('POST', '/api/v1/sessions', shown),
  status: () => call<Status>('GET', '/api/v1/status'),
  list: (path: string, at?: string, cursor?: string) =>
    call<{ entries: Entry[]; next?: string }>(
      'GET',
      `/api/v1/list/${encodePath(path)}?${searchText({ limit: '500', at, cursor })}`,
    ),
  info: (path: string) => call<FileInfo>('GET', filesUrl(path)),
  search: ({ words, tag, category }: SearchQuery, cursor?: string) =>
    call<{ entries: Entry[]; next?: string }>(
      'GET',
      `/api/v1/search?${searchText({ words, tag, category, cursor })}`,
    ),
  categories: () => call<{ entries: CategoryTotal[] }>('GET', '/api/v1/categories'),
  describe: (path: string, said: Description) => call<FileInfo>('PATCH', filesUrl(path), said),
  makeFolder: (path: string) => call<unknown>('POST', filesUrl(path), { kind: 'folder' }),
  move: (from: string, to: string) => call<unknown>('PATCH', filesUrl(from), { path: to }),
  remove: (path: string) => call<unknown>('DELETE', `${downloadUrl(path)}?recursive=1`),
  folders: () => call<{ entries: Entry[] }>('GET', '/api/v1/list'),
  trash: (folder: string) =>
    call<{ entries: Version[]; next?: string }>('GET', `/api/v1/trash/${encodePath(folder)}`),
  emptyTrash: (path: string) => call<{ removed: number }>('DELETE', `/api/v1/trash/${encodePath(path)}`),
  discardVersion: (path: string, version: string) =>
    call<unknown>('DELETE', `/api/v1/versions/${encodePath(path)}?version=${version}`),
  restore: (path: string, version?: string) =>
    call<unknown>('POST', `/api/v1/restore/${encodePath(path)}`, version === undefined ? {} : { version }),
  restoreAt: (path: string, at: string, dryRun = false) =>
    call<TreeRestored>('POST', `/api/v1/restore/${encodePath(path)}`, { at, dryRun }),
  doctor: () => call<{ problems: Problem[] }>('GET', '/api/v1/doctor'),
  alerts: () => call<{ alerts: Alert[] }>('GET', '/api/v1/alerts'),
  devices: () => call<{ devices: DeviceLine[] }>('GET', '/api/v1/devices'),
  retire: (method: 'GET' | 'POST' | 'DELETE', peer: string) =>
    call<Retiring>(method, `/api/v1/devices/${encodeURIComponent(peer)}/retire`),
  peers: () => call<{ peers: PeerLine[] }>('GET', '/api/v1/peers'),
  invite: (storageOnly: boolean) => call<Invite>('POST', '/api/v1/invites', { storageOnly }),
  join: (code: string, bringFiles: boolean) => call<unknown>('POST', '/api/v1/join', { code, bringFiles }),
  printRecovery: () => call<{ code: string }>('POST', '/api/v1/recovery/print', {}),
  confirmRecovery: () => call<unknown>('POST', '/api/v1/recovery/confirm', {}),
  workers: () => call<{ workers: WorkerLine[] }>('GET', '/api/v1/workers'),
  steerWorker: (name: string, action: 'pause' | 'resume' | 'run') =>
    call<{ workers: WorkerLine[] }>('POST', `/api/v1/workers/${encodeURIComponent(name)}/${action}`),
  revoke: (peer: string) => call<unknown>('POST', '/api/v1/devices/revoke', { devices: [peer] }),
}

/** A folder with all below it, as one archive. */
export function zipUrl(path: string): string {
  return `/api/v1/zip?path=${encodeURIComponent(path)}`
}

export function downloadUrl(path: string, version?: string): string {
  return `/files/${encodePath(path)}${version === undefined ? '' : `?version=${version}`}`
}
