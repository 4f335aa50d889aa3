/** `PROPFIND` and `PROPPATCH`: what is there, and what programs keep with it. */
import { fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Changes } from '../peer/peer.ts'
import { type DavCall, DavRefusal, answer, hrefOf, xmlHead } from './dav-answer.ts'
import { requireConditions, requireTokens } from './dav-conditions.ts'
import {
  liveProperty,
  memberAt,
  memberResponse,
  propstat,
  responseXml,
  writeProperty,
  topMember,
  type Member,
  type Wanted,
} from './dav-properties.ts'
import { encoded, encodingOf } from './encoding.ts'
import { answered } from './route.ts'
import { sendBytes } from './send.ts'
import { elementsOf, textOf, writeXml, xmlBody, type XmlElement } from './xml.ts'

const multistatus = '<D:multistatus xmlns:D="DAV:">\n'

/** One member, or with `Depth: 1` a folder and its children, page by page as the client takes them. */
export async function propfind(call: DavCall): Promise<unknown> {
  const { wanted, quota, deep } = await askedIn(call)
  const member = memberAt(call, call.path, quota)
  if (member === undefined) throw fail('NOT_FOUND', { what: 'path', name: call.path })
  return sendMembers(
    call,
    wanted,
    member,
    deep && member.line.kind === 'folder' ? children(call, member) : nobody,
  )
}

/** `/` is no folder of files: it holds `/dav/` and nothing else. */
export async function propfindTop(call: DavCall): Promise<unknown> {
  const { wanted, quota, deep } = await askedIn(call)
  const top = topMember(call, quota)
  return sendMembers(call, wanted, { ...top, href: '/' }, deep ? [{ ...top, href: '/dav/' }] : nobody)
}

interface Asked {
  wanted: Wanted
  quota: Member['quota']
  /** With the children. */
  deep: boolean
}

async function askedIn(call: DavCall): Promise<Asked> {
  const depth = call.request.headers['depth'] ?? 'infinity'
  const wanted = wantedProperties(await xmlBody(call))
  if (depth === 'infinity') throw new DavRefusal(403, '<D:propfind-finite-depth/>')
  if (depth !== '0' && depth !== '1') throw fail('BAD_INPUT', { what: 'Depth', reason: 'it is 0 or 1' })
  const asksQuota = wanted.names.some((name) => name.startsWith('{DAV:}quota-'))
  return { wanted, deep: depth === '1', quota: asksQuota ? await call.peer.quota() : undefined }
}

type Members = Iterable<Member> | AsyncIterable<Member>
const nobody: Members = []

async function sendMembers(call: DavCall, wanted: Wanted, member: Member, below: Members): Promise<unknown> {
  call.response.setHeader('content-type', 'application/xml; charset=utf-8')
  call.response.setHeader('dav', '1, 2')
  const text = responses(wanted, member, below)
  // One member is short.
  const encoding = below === nobody ? undefined : encodingOf(call)
  call.response.writeHead(207)
  await sendBytes(call.response, encoding === undefined ? text : encoded(text, encoding), call.face.clock)
  call.response.end()
  return answered
}

/** In pieces of bounded size: who asks for many long names gets as much for every child. */
async function* responses(wanted: Wanted, member: Member, below: Members): AsyncGenerator<Uint8Array> {
  let text = xmlHead + multistatus + memberResponse(member, wanted)
  for await (const child of below) {
    text += memberResponse(child, wanted)
    if (text.length < pieceLength) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(`${text}</D:multistatus>\n`)
}

const pieceLength = 64 * 1024

async function* children(call: DavCall, folder: Member): AsyncGenerator<Member> {
  let cursor: string | undefined
  do {
    const { entries, next } = await call.files.list(folder.path, {
      cursor,
      limit: limits.davPageEntries,
      signal: call.signal,
    })
    for (const line of entries) yield { ...folder, path: line.path, line }
    // Others are served between two pages.
    await call.face.clock.sleep(0)
    cursor = next
  } while (cursor !== undefined)
}

/** An empty body means everything. */
function wantedProperties(root: XmlElement | undefined): Wanted {
  if (root === undefined) return { kind: 'all', names: [] }
  if (root.name !== '{DAV:}propfind') throw badBody('it is no propfind')
  const kinds = elementsOf(root)
  const named = (name: string): XmlElement | undefined => kinds.find((kind) => kind.name === `{DAV:}${name}`)
  const prop = named('prop')
  if (prop !== undefined) return { kind: 'some', names: namesIn(prop) }
  if (named('propname') !== undefined) return { kind: 'names', names: [] }
  if (named('allprop') === undefined) throw badBody('it asks for nothing')
  const include = named('include')
  return { kind: 'all', names: include === undefined ? [] : namesIn(include) }
}

const namesIn = (element: XmlElement): string[] => [...new Set(elementsOf(element).map(({ name }) => name))]

/** All changes or none. */
export async function proppatch(call: DavCall): Promise<unknown> {
  const { path } = call
  const updates = updatesIn(await xmlBody(call))
  const member = memberAt(call, path)
  if (member === undefined) throw fail('NOT_FOUND', { what: 'path', name: path })
  requireConditions(call)
  requireTokens(call, { path })
  const refused = [...updates].filter(
    ([name, element]) => path === '' || changesOf(name, element) === undefined,
  )
  const stats =
    refused.length > 0
      ? refusal(updates, new Set(refused.map(([name]) => name)))
      : await applied(call, updates)
  const response = responseXml(hrefOf(path, member.line.kind === 'folder'), stats)
  return answer(call, 207, `${multistatus}${response}</D:multistatus>`)
}

/** The last instruction for each property; undefined removes it. */
type Updates = Map<string, XmlElement | undefined>

function updatesIn(root: XmlElement | undefined): Updates {
  if (root?.name !== '{DAV:}propertyupdate') throw badBody('it is no propertyupdate')
  const updates: Updates = new Map()
  for (const instruction of elementsOf(root)) {
    if (instruction.name !== '{DAV:}set' && instruction.name !== '{DAV:}remove') continue
    const isSet = instruction.name === '{DAV:}set'
    for (const prop of elementsOf(instruction).filter(({ name }) => name === '{DAV:}prop'))
      for (const property of elementsOf(prop)) updates.set(property.name, isSet ? property : undefined)
  }
  if (updates.size === 0) throw badBody('it changes nothing')
  return updates
}

/** What one instruction changes; undefined where it is not allowed. */
function changesOf(name: string, element: XmlElement | undefined): Changes | undefined {
  const live = liveProperty(name)
  if (live === undefined) return { properties: { [name]: element === undefined ? null : writeXml(element) } }
  return element === undefined ? undefined : live.set?.(textOf(element).trim())
}

async function applied(call: DavCall, updates: Updates): Promise<string> {
  const changes = [...updates].flatMap(([name, element]) => changesOf(name, element) ?? [])
  const properties = Object.assign({}, ...changes.map((change) => change.properties))
  const merged: Changes = { ...(Object.assign({}, ...changes) as Changes), properties }
  const all = namesXml(updates.keys())
  try {
    await call.files.change(call.path, merged)
    return propstat(all, '200 OK')
  } catch (thrown) {
    if (isCode(thrown, 'TOO_LARGE') || isCode(thrown, 'TOO_MANY'))
      return propstat(all, '507 Insufficient Storage')
    throw thrown
  }
}

function refusal(updates: Updates, refused: ReadonlySet<string>): string {
  const others = [...updates.keys()].filter((name) => !refused.has(name))
  const error = '<D:cannot-modify-protected-property/>'
  return (
    propstat(namesXml(refused), '403 Forbidden', error) +
    (others.length === 0 ? '' : propstat(namesXml(others), '424 Failed Dependency'))
  )
}

const namesXml = (names: Iterable<string>): string =>
  [...names].map((name) => writeProperty(name, '')).join('')

const badBody = (reason: string): Error => fail('BAD_INPUT', { what: 'the body', reason })
