/** Finds the route of a request by its decoded segments. */
import { fail } from '../base/errors.ts'
import type { Route } from './route.ts'

export interface Match {
  route: Route
  params: Record<string, string>
  path: string
}

/** The first route that matches; `NOT_FOUND` when none does. */
export function matchRoute(routes: readonly Route[], method: string, segments: readonly string[]): Match {
  const wanted = method === 'HEAD' ? 'GET' : method
  for (const route of routes) {
    const match = route.method === wanted ? matchOne(route, segments) : undefined
    if (match !== undefined) return match
  }
  throw fail('NOT_FOUND', { what: 'address', name: `${method} /${segments.join('/').slice(0, 200)}` })
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
