/** The properties of a member, live and dead, as XML. */
import type { Changes, ListedEntry } from '../peer/peer.ts'
import { entityTag } from './conditions.ts'
import { type DavCall, hrefOf } from './dav-answer.ts'
import type { DavLocks, Lock } from './dav-locks.ts'
import { escapeXml, parseXml, splitName, writeXml } from './xml.ts'

/** Everything that properties are made of. */
export interface Member {
  /** `FOLDER/PATH`; '' for the top. */
  path: string
  /** Its address, where it is not that of a path below `/dav`. */
  href?: string
  line: ListedEntry
  locks: DavLocks
  quota: { used: number; free: number } | undefined
}

export type Wanted =
  | { kind: 'all' | 'names'; names: readonly string[] }
  | { kind: 'some'; names: readonly string[] }

interface Live {
  /** The XML inside the property; undefined where a member does not have it. */
  value(member: Member): string | undefined
  /** What setting it changes; without it nobody can set it. Undefined: the text makes no sense. */
  set?(text: string): Changes | undefined
  /** Only for who asks for it by name. */
  hidden?: true
}

const isFolder = (line: ListedEntry): boolean => line.kind === 'folder'
const ofFile =
  (value: (line: ListedEntry) => string | undefined) =>
  ({ line }: Member): string | undefined =>
    isFolder(line) ? undefined : value(line)
const httpDate = (text: string | null | undefined): string | undefined =>
  typeof text === 'string' ? new Date(text).toUTCString() : undefined
/** `text` as wall milliseconds, where it is a date that a file can have. */
const dateOf = (text: string): number | undefined => {
  const ms = Date.parse(text)
  return ms >= 0 && ms < 2 ** 48 ? ms : undefined
}
const whenDate = (text: string, change: (ms: number) => Changes): Changes | undefined => {
  const ms = dateOf(text)
  return ms === undefined ? undefined : change(ms)
}

/** Explorer sets these on every file; what a file here does not have is taken and not kept. */
const explorer: Record<string, Live> = {
  Win32LastModifiedTime: {
    value: ({ line }) => httpDate(line.modified),
    set: (text) => whenDate(text, (modified) => ({ modified })),
    hidden: true,
  },
  Win32CreationTime: {
    value: ({ line }) => httpDate(line.created),
    set: (text) => whenDate(text, (created) => ({ created })),
    hidden: true,
  },
  Win32LastAccessTime: { value: ({ line }) => httpDate(line.modified), set: () => ({}), hidden: true },
  Win32FileAttributes: {
    value: ({ line }) => (isFolder(line) ? '00000010' : '00000020'),
    set: () => ({}),
    hidden: true,
  },
}

const lastPart = (path: string): string => path.split('/').findLast((part) => part !== '') ?? ''

const dav: Record<string, Live> = {
  resourcetype: { value: ({ line }) => (isFolder(line) ? '<D:collection/>' : '') },
  displayname: { value: ({ path, href }) => escapeXml(lastPart(href ?? path)) },
  getcontentlength: { value: ofFile(({ size }) => String(size)) },
  getcontenttype: { value: ofFile(({ type }) => escapeXml(type)) },
  getetag: { value: ofFile(({ hash }) => hash && entityTag(hash)) },
  getlastmodified: { value: ({ line }) => httpDate(line.modified) },
  creationdate: { value: ({ line }) => line.created },
  supportedlock: { value: () => supportedLock },
  lockdiscovery: { value: ({ path, locks }) => lockDiscovery(locks, locks.covering(path)) },
  'quota-used-bytes': { value: ({ quota }) => quota && String(quota.used), hidden: true },
  'quota-available-bytes': { value: ({ quota }) => quota && String(quota.free), hidden: true },
  // What rclone sets, in seconds.
  lastmodified: {
    value: () => undefined,
    set: (text) => (/^\d{1,11}$/.test(text) ? { modified: Number(text) * 1000 } : undefined),
  },
}

/** davfs2 and mod_dav: whether a file is a program. */
const executable: Live = {
  value: ofFile(({ mode = 0 }) => ((mode & 0o100) === 0 ? 'F' : 'T')),
  set: (text) => (text === 'T' ? { mode: 0o755 } : text === 'F' ? { mode: 0o644 } : undefined),
}

const live = new Map<string, Live>([
  ...Object.entries(dav).map(([name, property]) => [`{DAV:}${name}`, property] as const),
  ...Object.entries(explorer).map(
    ([name, property]) => [`{urn:schemas-microsoft-com:}${name}`, property] as const,
  ),
  ['{http://apache.org/dav/props/}executable', executable],
])

/** The property of this name that the peer itself makes. */
export function liveProperty(name: string): Live | undefined {
  return live.get(name)
}

/** One `response` of a multistatus. */
export function memberResponse(member: Member, wanted: Wanted): string {
  const found: string[] = []
  const missing: string[] = []
  for (const name of namesFor(member, wanted)) {
    const value = wanted.kind === 'names' ? writeProperty(name, '') : propertyXml(member, name)
    if (value === undefined) missing.push(writeProperty(name, ''))
    else found.push(value)
  }
  const stats = [
    ...(found.length > 0 || missing.length === 0 ? [propstat(found.join(''), '200 OK')] : []),
    ...(missing.length > 0 ? [propstat(missing.join(''), '404 Not Found')] : []),
  ]
  return responseXml(member.href ?? hrefOf(member.path, isFolder(member.line)), stats.join(''))
}

export function responseXml(href: string, inside: string): string {
  return `<D:response><D:href>${href}</D:href>${inside}</D:response>\n`
}

export function propstat(properties: string, status: string, error = ''): string {
  const why = error === '' ? '' : `<D:error>${error}</D:error>`
  return `<D:propstat><D:prop>${properties}</D:prop><D:status>HTTP/1.1 ${status}</D:status>${why}</D:propstat>`
}

/** An element of this name; `value` is XML. */
export function writeProperty(name: string, value: string): string {
  const { space, local } = splitName(name)
  const [tag, declaration] = space === 'DAV:' ? [`D:${local}`, ''] : [local, ` xmlns="${escapeXml(space)}"`]
  return value === '' ? `<${tag}${declaration}/>` : `<${tag}${declaration}>${value}</${tag}>`
}

function namesFor(member: Member, wanted: Wanted): Iterable<string> {
  if (wanted.kind === 'some') return wanted.names
  const own = [...live].filter(
    ([, property]) => property.hidden !== true && property.value(member) !== undefined,
  )
  return new Set([...own.map(([name]) => name), ...deadNames(member), ...wanted.names])
}

function propertyXml(member: Member, name: string): string | undefined {
  const kept = member.line.properties
  if (kept !== undefined && name.startsWith('{') && Object.hasOwn(kept, name))
    return checkedXml(name, kept[name])
  const value = live.get(name)?.value(member)
  return value === undefined ? undefined : writeProperty(name, value)
}

/** Other names are of other programs, that write no XML. */
const deadNames = ({ line }: Member): string[] =>
  Object.keys(line.properties ?? {}).filter((name) => name.startsWith('{'))

/** Another device may have written it: an answer holds it only if it is that element and nothing else. */
function checkedXml(name: string, text = ''): string | undefined {
  try {
    const element = parseXml(text)
    return element.name === name ? writeXml(element) : undefined
  } catch {
    return undefined
  }
}

const supportedLock = ['exclusive', 'shared']
  .map(
    (scope) =>
      `<D:lockentry><D:lockscope><D:${scope}/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>`,
  )
  .join('')

/** The inside of `lockdiscovery`. */
export function lockDiscovery(locks: DavLocks, found: readonly Lock[]): string {
  return found
    .map(
      (lock) =>
        `<D:activelock><D:locktype><D:write/></D:locktype>` +
        `<D:lockscope><D:${lock.exclusive ? 'exclusive' : 'shared'}/></D:lockscope>` +
        `<D:depth>${lock.deep ? 'infinity' : '0'}</D:depth>${lock.owner}` +
        `<D:timeout>Second-${locks.secondsLeft(lock)}</D:timeout>` +
        `<D:locktoken><D:href>${escapeXml(lock.token)}</D:href></D:locktoken>` +
        `<D:lockroot><D:href>${hrefOf(lock.path, false)}</D:href></D:lockroot></D:activelock>`,
    )
    .join('')
}

/** The member at a path that the caller may read; undefined where nothing is. */
export function memberAt(call: DavCall, path: string, quota?: Member['quota']): Member | undefined {
  if (path === '') return topMember(call, quota)
  const line = call.files.look(path)
  return line && { path, line, locks: call.face.locks, quota }
}

export const topMember = ({ face }: DavCall, quota?: Member['quota']): Member => ({
  path: '',
  line: topLine,
  locks: face.locks,
  quota,
})

const topLine: ListedEntry = {
  path: '',
  kind: 'folder',
  size: 0,
  modified: null,
  type: 'inode/directory',
}
