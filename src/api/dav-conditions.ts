/**
 * What must hold before a WebDAV request changes anything: entity tags (RFC 9110 §13), the `If` header
 * (RFC 4918 §10.4), and the tokens of all locks on what it touches.
 */
import { fail } from '../base/errors.ts'
import type { ListedEntry, PutOptions } from '../peer/peer.ts'
import { entityTag, namesStrongly, namesWeakly } from './conditions.ts'
import { type DavCall, DavRefusal, hrefOf } from './dav-answer.ts'
import type { Lock } from './dav-locks.ts'
import { parseRequestPath } from './request-path.ts'
import { hostOf } from './web-rules.ts'

interface Condition {
  not: boolean
  /** `<token>` or `["tag"]`. */
  state: string
}

/** Conditions on one resource; all of them must hold. */
interface ConditionList {
  /** Undefined: a resource that is not here. */
  path: string | undefined
  conditions: Condition[]
}

/** Fails with 412 unless one list of the `If` header, where there is one, holds. */
export function requireConditions(call: DavCall): void {
  const lists = conditionLists(call)
  const held = lists.some(({ path, conditions }) =>
    conditions.every(({ not, state }) => not !== (path !== undefined && holds(call, path, state))),
  )
  if (lists.length > 0 && !held) throw fail('PRECONDITION_FAILED', { path: call.path })
}

/** Lock tokens that the request names, and thereby may use. */
function submittedTokens(call: DavCall): Set<string> {
  const states = conditionLists(call).flatMap(({ conditions }) => conditions.map(({ state }) => state))
  return new Set(states.filter((state) => state.startsWith('<')).map((state) => state.slice(1, -1)))
}

/** The locks on a path whose tokens the request names and may use. */
export function usableLocks(call: DavCall, path: string): Lock[] {
  const submitted = submittedTokens(call)
  return call.face.locks.covering(path).filter((lock) => isUsable(call, lock, submitted))
}

export interface Touched {
  path: string
  /** A name comes or goes: locks on the folder that holds it count. */
  member?: boolean
  /** Everything below is changed too. */
  below?: boolean
}

/** Fails with 423 unless for each locked place one of its locks is named by the request. */
export function requireTokens(call: DavCall, ...touched: Touched[]): void {
  const { locks } = call.face
  const found = touched.flatMap(({ path, member, below }) => [
    ...locks.covering(path),
    ...(member === true ? locks.covering(parentOf(path)) : []),
    ...(below === true ? locks.below(path) : []),
  ])
  const submitted = submittedTokens(call)
  for (const [path, group] of Map.groupBy(found, (lock) => lock.path))
    if (!group.some((lock) => isUsable(call, lock, submitted)))
      throw new DavRefusal(
        423,
        `<D:lock-token-submitted><D:href>${hrefOf(path, false)}</D:href></D:lock-token-submitted>`,
      )
}

const isUsable = (call: DavCall, lock: Lock, submitted: ReadonlySet<string>): boolean =>
  submitted.has(lock.token) && lock.holder === call.subject?.id

/** `If-Match` and `If-None-Match` against what is there now; the version that may be replaced. */
export function replacedVersion(call: DavCall, line: ListedEntry | undefined): Pick<PutOptions, 'replaces'> {
  const match = call.request.headers['if-match']
  const noneMatch = call.request.headers['if-none-match']
  if (match === undefined && noneMatch === undefined) return {}
  const refused =
    match !== undefined ? !names(match, line, namesStrongly) : names(noneMatch ?? '', line, namesWeakly)
  if (refused) throw fail('PRECONDITION_FAILED', { path: call.path })
  return { replaces: line?.version ?? 'none' }
}

/** A folder has no tag: only `*` names it. */
function names(tags: string, line: ListedEntry | undefined, byHash: typeof namesWeakly): boolean {
  if (line === undefined) return false
  return line.hash === undefined ? tags.trim() === '*' : byHash(tags, line.hash)
}

/** The path that the `Destination` header names; 502 for another server's. */
export function destinationOf(call: DavCall): string {
  const header = call.request.headers['destination']
  if (typeof header !== 'string') throw fail('BAD_INPUT', { what: 'Destination', reason: 'it is missing' })
  const path = pathOfUrl(call, header)
  if (path === undefined) throw new DavRefusal(502)
  return path
}

/** `FOLDER/PATH` of an address under `/dav` of this peer; undefined for any other place. */
function pathOfUrl(call: DavCall, url: string): string | undefined {
  const [, authority, path = ''] = /^(?:https?:\/\/([^/?#]*))?(\/[^?#]*)$/i.exec(url) ?? []
  if (path === '') throw fail('BAD_INPUT', { what: 'an address in a header', reason: 'it is no http URL' })
  if (authority !== undefined && !isOwnHost(call, authority)) return undefined
  const [first, ...segments] = parseRequestPath(path).segments
  return first === 'dav' ? segments.join('/') : undefined
}

function isOwnHost({ face, request }: DavCall, authority: string): boolean {
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const publicUrl = face.peer.settings.get('public-url')
  const own = [hostOf(face, request) ?? '', ...(publicUrl === undefined ? [] : [new URL(publicUrl).host])]
  return own.some((name) => withoutPort(name) === withoutPort(host))
}

/** A default port is often left out. */
const withoutPort = (host: string): string => host.toLowerCase().replace(/:(?:80|443)$/, '')

export function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
}

function holds(call: DavCall, path: string, state: string): boolean {
  if (state.startsWith('<')) return call.face.locks.covering(path).some(({ token }) => `<${token}>` === state)
  const hash = path === '' ? undefined : call.files.look(path)?.hash
  return hash !== undefined && state === `[${entityTag(hash)}]`
}

const tokens = /\s*(?:(?<url><[^>]*>)|(?<tag>\[(?:W\/)?"[^"]*"\])|(?<sign>[()])|(?<not>not\b))/iy

/** The `If` header taken apart; `BAD_INPUT` where it is malformed. */
function conditionLists(call: DavCall): ConditionList[] {
  const header = String(call.request.headers['if'] ?? '').trim()
  const lists: ConditionList[] = []
  let path: string | undefined = call.path
  let open: ConditionList | undefined
  let not = false
  for (let at = 0; at < header.length; at = tokens.lastIndex) {
    tokens.lastIndex = at
    const { url, tag, sign, not: negation } = tokens.exec(header)?.groups ?? malformed()
    if (negation !== undefined && open !== undefined && !not) not = true
    else if (sign === '(' && open === undefined) open = { path, conditions: [] }
    else if (sign === ')' && open !== undefined && open.conditions.length > 0 && !not) {
      lists.push(open)
      open = undefined
    } else if (url !== undefined && open === undefined) path = pathOfUrl(call, url.slice(1, -1))
    else if ((url ?? tag) !== undefined && open !== undefined) {
      open.conditions.push({ not, state: url ?? tag ?? '' })
      not = false
    } else malformed()
  }
  if (open !== undefined || (header !== '' && lists.length === 0)) malformed()
  return lists
}

function malformed(): never {
  throw fail('BAD_INPUT', { what: 'the If header', reason: 'it is malformed' })
}
