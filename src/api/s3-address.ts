/**
 * The address of an S3 request in path style: `/BUCKET/KEY`, or the same below `/s3`. The path is
 * decoded once; what was authorised is what is opened, and a signature covers the same text again.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

export interface S3Address {
  /** Decoded path as the client signed it, `/s3` included. */
  path: string
  /** Name and value pairs in the order they came, decoded. */
  query: readonly (readonly [name: string, value: string])[]
  /** '' for the service itself. */
  bucket: string
  /** '' for the bucket itself; not checked yet. */
  key: string
}

/** The part below which S3 is served whatever a request shows. */
export const s3Mount = '/s3'

/** Takes the raw target of a request apart; `BAD_PATH`. */
export function parseS3Address(target: string): S3Address {
  const mark = target.indexOf('?')
  const raw = mark === -1 ? target : target.slice(0, mark)
  if (!raw.startsWith('/') || raw.length > 4 * limits.pathBytes)
    throw fail('BAD_PATH', { path: shown(raw), reason: 'it must begin with / and be shorter' })
  const path = decodeText(raw)
  const inside = isMounted(raw) ? path.slice(s3Mount.length) : path
  const slash = inside.indexOf('/', 1)
  return {
    path,
    query: mark === -1 ? [] : queryOf(target.slice(mark + 1)),
    bucket: inside.slice(1, slash === -1 ? undefined : slash),
    key: slash === -1 ? '' : inside.slice(slash + 1),
  }
}

/** Whether a raw target lies below `/s3`. */
export function isMounted(target: string): boolean {
  return /^\/s3(?:[/?]|$)/.test(target)
}

/** A value of the query; undefined when it is not there. */
export function queryValue({ query }: Pick<S3Address, 'query'>, name: string): string | undefined {
  return query.find(([key]) => key === name)?.[1]
}

/** Every byte but the unreserved ones as `%XX`, which is how signatures see names and values. */
export function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** The same for a path or key, whose `/` stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeStrictly).join('/')
}

function queryOf(raw: string): [string, string][] {
  return raw
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=')
      const [name, value] = at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
      return [decodeText(name.replaceAll('+', ' ')), decodeText(value.replaceAll('+', ' '))]
    })
}

/** Percent-decoded once; `BAD_PATH` when it is no UTF-8. */
export function decodeText(raw: string): string {
  if (!raw.includes('%')) return raw
  try {
    return decodeURIComponent(raw)
  } catch (thrown) {
    throw fail('BAD_PATH', { path: shown(raw), reason: 'its % signs are no UTF-8' }, thrown)
  }
}

const shown = (path: string): string => JSON.stringify(path.slice(0, 200))
