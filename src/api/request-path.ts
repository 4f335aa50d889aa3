/**
 * The one place where the address of a request becomes segments: split on `/`, each decoded once.
 * The router matches these segments and the verbs get them joined, so that the path that was
 * authorised is the path that is opened.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

export interface RequestPath {
  /** Decoded segments; none is empty, `.`, `..` or holds `/` or NUL. */
  segments: string[]
  query: URLSearchParams
}

/** Parses the raw target of a request; `BAD_PATH` for anything but `/segment/segment?query`. */
export function parseRequestPath(target: string): RequestPath {
  const [path = '', query = ''] = splitOnce(target, '?')
  if (!path.startsWith('/') || path.includes('#')) throw badPath(path, 'it must begin with /')
  if (path.length > 4 * limits.pathBytes) throw badPath(path, 'it is too long')
  const raw = path.slice(1).split('/')
  if (raw.at(-1) === '') raw.pop()
  return { segments: raw.map((segment) => decodeSegment(segment, path)), query: new URLSearchParams(query) }
}

function decodeSegment(raw: string, path: string): string {
  const segment = decodeOnce(raw, path)
  if (segment === '') throw badPath(path, 'it has an empty part')
  if (segment === '.' || segment === '..') throw badPath(path, `a part of it is ${segment}`)
  if (segment.includes('/') || segment.includes('\0')) throw badPath(path, 'a part of it holds / or NUL')
  return segment
}

function decodeOnce(raw: string, path: string): string {
  if (!raw.includes('%')) return raw
  try {
    return decodeURIComponent(raw)
  } catch (thrown) {
    throw fail('BAD_PATH', { path: shown(path), reason: 'its % signs are no UTF-8' }, thrown)
  }
}

const badPath = (path: string, reason: string): Error => fail('BAD_PATH', { path: shown(path), reason })

/** As much of a refused path as is fit for an error text. */
const shown = (path: string): string => JSON.stringify(path.slice(0, 200))

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}
