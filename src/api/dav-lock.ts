/** `LOCK` and `UNLOCK`. A name where nothing is becomes an empty file, as RFC 4918 §7.3 wants. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { type DavCall, DavRefusal, answer } from './dav-answer.ts'
import { requireConditions, requireTokens, usableLocks } from './dav-conditions.ts'
import { requireParent } from './dav-members.ts'
import type { Lock } from './dav-locks.ts'
import { lockDiscovery } from './dav-properties.ts'
import { elementsOf, writeXml, xmlBody, type XmlElement } from './xml.ts'

export async function lock(call: DavCall): Promise<unknown> {
  const { path, face } = call
  const body = await xmlBody(call)
  requireConditions(call)
  if (body === undefined) return refresh(call)
  const { exclusive, owner } = lockInfo(body)
  const there = path === '' || call.files.look(path) !== undefined
  if (!there) {
    requireParent(call, path)
    requireTokens(call, { path, member: true })
  }
  const holder = call.subject?.id ?? ''
  const wish = { path, deep: isDeep(call), exclusive, owner, holder, timeoutMs: timeoutOf(call) }
  const taken = take(call, wish)
  try {
    if (!there) await call.files.put(path, nothing(), { size: 0, replaces: 'none', signal: call.signal })
  } catch (thrown) {
    face.locks.release(taken)
    throw thrown
  }
  call.response.setHeader('lock-token', `<${taken.token}>`)
  return answer(call, there ? 200 : 201, lockXml(call, taken))
}

function take(call: DavCall, wish: Parameters<DavCall['face']['locks']['take']>[0]): Lock {
  try {
    return call.face.locks.take(wish)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'LOCKED')
      throw new DavRefusal(423, '<D:no-conflicting-lock/>')
    throw thrown
  }
}

function refresh(call: DavCall): unknown {
  const [held] = usableLocks(call, call.path)
  if (held === undefined) throw fail('PRECONDITION_FAILED', { path: call.path })
  call.face.locks.refresh(held, timeoutOf(call))
  return answer(call, 200, lockXml(call, held))
}

export async function unlock(call: DavCall): Promise<unknown> {
  const [, token] = /^\s*<([^<>]+)>\s*$/.exec(String(call.request.headers['lock-token'] ?? '')) ?? []
  if (token === undefined) throw fail('BAD_INPUT', { what: 'Lock-Token', reason: 'it is no <token>' })
  const held = call.face.locks.covering(call.path).find((one) => one.token === token)
  if (held === undefined) throw new DavRefusal(409, '<D:lock-token-matches-request-uri/>')
  if (held.holder !== call.subject?.id) throw new DavRefusal(403)
  call.face.locks.release(held)
  return answer(call, 204)
}

function lockInfo(root: XmlElement): { exclusive: boolean; owner: string } {
  const parts = new Map(elementsOf(root).map((element) => [element.name, element]))
  const inside = (name: string): string | undefined =>
    elementsOf(parts.get(`{DAV:}${name}`) ?? root)[0]?.name.replace('{DAV:}', '')
  const scope = inside('lockscope')
  const sound = (scope === 'exclusive' || scope === 'shared') && inside('locktype') === 'write'
  if (root.name !== '{DAV:}lockinfo' || !sound)
    throw fail('BAD_INPUT', { what: 'the body', reason: 'it is no lockinfo for writing' })
  const owner = parts.get('{DAV:}owner')
  const text = owner === undefined ? '' : writeXml(owner)
  if (text.length > limits.propertyBytes)
    throw fail('TOO_LARGE', { what: 'the owner of a lock', limit: limits.propertyBytes })
  return { exclusive: scope === 'exclusive', owner: text }
}

function isDeep(call: DavCall): boolean {
  const depth = call.request.headers['depth'] ?? 'infinity'
  if (depth !== '0' && depth !== 'infinity')
    throw fail('BAD_INPUT', { what: 'Depth', reason: 'it is 0 or infinity' })
  return depth === 'infinity'
}

/** The first time that the client asks for, as far as it is allowed. */
function timeoutOf(call: DavCall): number {
  const [, seconds] = /^\s*second-(\d{1,10})/i.exec(String(call.request.headers['timeout'] ?? '')) ?? []
  return seconds === undefined ? limits.davLockMs : Math.min(Number(seconds) * 1000, limits.davLockMs)
}

function lockXml(call: DavCall, held: Lock): string {
  const inside = lockDiscovery(call.face.locks, [held])
  return `<D:prop xmlns:D="DAV:"><D:lockdiscovery>${inside}</D:lockdiscovery></D:prop>`
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
