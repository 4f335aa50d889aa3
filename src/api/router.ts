/** Finds the route of a request by its decoded segments. */
import { fail } from '../base/errors.ts'
import type { Route } from './route.ts'

export interface Match {
  route: Route
  params: Record<string, string>
  path: string
}

/** The first route that matches; `METHOD_NOT_ALLOWED` where others take the address, else `NOT_FOUND`. */
export function matchRoute(routes: readonly Route[], method: string, segments: readonly string[]): Match {
  const wanted = method === 'HEAD' ? 'GET' : method
  const match = firstMatch(routes, wanted, segments)
  if (match !== undefined && match.route.path !== leftOver) return match
  const allowed = methodsAt(routes, segments)
  if (match !== undefined && (allowed.length === 0 || allowed.includes(wanted))) return match
  const address = `/${segments.join('/').slice(0, 200)}`
  if (allowed.length > 0) throw fail('METHOD_NOT_ALLOWED', { method, address, allowed: allowed.join(', ') })
  throw fail('NOT_FOUND', { what: 'address', name: `${method} ${address}` })
}

/** What may be asked of an address, as `Allow` says it; nothing where no route leads. */
export function methodsAt(routes: readonly Route[], segments: readonly string[]): string[] {
  const found = routes.filter((route) => isThere(route, segments)).map(({ method }) => method)
  if (found.length === 0) return []
  return [
    ...new Set(['OPTIONS', ...found.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))]),
  ]
}

/** The app's own files: of what is left over only the page itself is sure to be there. */
const leftOver = '/*'

const isThere = (route: Route, segments: readonly string[]): boolean =>
  (route.path !== leftOver || segments.length === 0) && matchOne(route, segments) !== undefined

function firstMatch(
  routes: readonly Route[],
  method: string,
  segments: readonly string[],
): Match | undefined {
  for (const route of routes) {
    const match = route.method === method ? matchOne(route, segments) : undefined
    if (match !== undefined) return match
  }
  return undefined
}

function matchOne(route: Route, segments: readonly string[]): Match | undefined {
  const parts = partsOf(route)
  const open = parts.at(-1) === '*'
  const fixed = open ? parts.length - 1 : parts.length
  if (open ? segments.length < fixed : segments.length !== fixed) return undefined
  const params: Record<string, string> = {}
  for (let index = 0; index < fixed; index += 1) {
    const part = parts[index] ?? ''
    const segment = segments[index] ?? ''
    if (part.startsWith(':')) params[part.slice(1)] = segment
    else if (part !== segment) return undefined
  }
  return { route, params, path: segments.slice(fixed).join('/') }
}

const parsed = new WeakMap<Route, string[]>()

function partsOf(route: Route): string[] {
  const known = parsed.get(route)
  if (known !== undefined) return known
  const parts = route.path.split('/').filter((part) => part !== '')
  parsed.set(route, parts)
  return parts
}
