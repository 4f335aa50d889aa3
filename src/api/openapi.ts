/** OpenAPI 3.1 of the routes: paths from their patterns, schemas from `descriptions.ts`. */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { programVersion } from '../peer/version.ts'
import { problem } from './answers.ts'
import { describedRoutes, descriptionOf, type Description } from './descriptions.ts'
import type { Route } from './route.ts'

type Json = Record<string, unknown>

/** Methods that OpenAPI has a field for; others, of WebDAV, stand under `x-METHOD`. */
const methods = new Set(['GET', 'PUT', 'POST', 'PATCH', 'DELETE'])

/** `INTERNAL` when something is described that is no route. */
export function openApi(routes: readonly Route[]): Json {
  const there = new Set(routes.map(({ method, path }) => `${method} ${path}`))
  const gone = describedRoutes.filter((route) => !there.has(route))
  if (gone.length > 0) throw fail('INTERNAL', { reason: `no routes: ${gone.join(', ')}` })
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const item = (paths[pathOf(route)] ??= { parameters: pathParameters(route) })
    const operation = operationOf(route)
    item[methods.has(route.method) ? route.method.toLowerCase() : `x-${route.method.toLowerCase()}`] =
      operation
    if (route.method === 'GET')
      item['head'] = {
        ...operation,
        summary: `Headers of: ${String(operation['summary'])}`,
        operationId: `head_${String(operation['operationId'])}`,
      }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'PeerStor', version: programVersion, license: { name: 'MIT', identifier: 'MIT' } },
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic', description: 'any name, the token as password' },
      },
      schemas: { Problem: schemaOf(problem) },
    },
  }
}

/** `/files/*` as `/files/{path}`: what `{path}` names has slashes of its own. */
export const pathOf = ({ path }: Route): string => path.replace('*', '{path}').replaceAll(/:(\w+)/g, '{$1}')

function pathParameters(route: Route): Json[] {
  return [...pathOf(route).matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    ...(name === 'path' ? { description: 'FOLDER/PATH, each part percent-encoded once' } : {}),
  }))
}

function operationOf(route: Route): Json {
  const description = descriptionOf(route) ?? { summary: `${route.method} ${route.path}` }
  const { summary, query, body } = description
  const security = route.scope === 'open' ? [] : [{ bearer: [] }, { basic: [] }]
  return {
    operationId: `${route.method}_${route.path}`.replaceAll(/\W+/g, '_').replace(/_$/, ''),
    summary,
    description: route.scope === 'open' ? 'Open to all.' : `Needs the scope \`${route.scope}\`.`,
    security,
    ...(query === undefined ? {} : { parameters: queryParameters(query) }),
    ...(body === undefined ? {} : { requestBody: { content: contentOf(body, 'input') } }),
    responses: responsesOf(description),
  }
}

function queryParameters(query: z.ZodType): Json[] {
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    properties?: Json
    required?: string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }))
}

/** Statuses of success that a description names or implies. */
export function statusesOf({ answer, statuses }: Description): readonly number[] {
  return statuses ?? [answer === undefined ? 204 : 200]
}

function responsesOf(description: Description): Json {
  const { answer } = description
  const content = answer === undefined ? {} : { content: contentOf(answer, 'output') }
  const good = statusesOf(description).map((status) => [
    status,
    { description: status === 304 ? 'Not changed' : 'Done', ...(status === 304 ? {} : content) },
  ])
  const problems = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
  return {
    ...Object.fromEntries(good),
    default: { description: 'An error of docs/ERRORS.md', content: problems },
  }
}

function contentOf(body: z.ZodType | string, io: 'input' | 'output'): Json {
  if (typeof body === 'string') return { [body]: {} }
  return { 'application/json': { schema: schemaOf(body, io) } }
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output' = 'output'): Json {
  const { $schema: _, ...made } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json
  return made
}
