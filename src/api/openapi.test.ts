/** The document that programs read is the API that is there. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { descriptionOf } from './descriptions.ts'
import { openApi, pathOf } from './openapi.ts'
import { routes } from './routes.ts'
import { startFixture } from './web-face.fixture.ts'

type Operation = { operationId: string; responses: Record<string, unknown>; parameters?: { name: string }[] }
const document = openApi(routes) as { openapi: string; paths: Record<string, Record<string, Operation>> }

test('every route is in openapi.json, and says what it takes and answers', () => {
  for (const route of routes) {
    const item = document.paths[pathOf(route)]
    const key = route.method.toLowerCase()
    assert.ok(item?.[key] ?? item?.[`x-${key}`], `${route.method} ${route.path}`)
    assert.ok(descriptionOf(route), `descriptions.ts says nothing of ${route.method} ${route.path}`)
  }
})

test('operations have names of their own, limits on their input and answers', () => {
  const operations = Object.values(document.paths).flatMap((item) =>
    Object.entries(item).flatMap(([key, operation]) => (key === 'parameters' ? [] : [operation])),
  )
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
  assert.ok(operations.every(({ responses }) => 'default' in responses))
  const list = document.paths['/api/v1/list/{path}']?.['get']
  assert.deepEqual(
    list?.parameters?.map(({ name }) => name),
    ['cursor', 'limit', 'recursive', 'at'],
  )
})

test('the document and its page are served, without a script and without other hosts', async (t) => {
  const web = await startFixture(t)
  for (const path of ['/api/openapi.json', '/api/v1/openapi.json']) {
    const { status, json } = await web.ask({ path, token: null })
    assert.equal(status, 200)
    assert.equal(json['openapi'], '3.1.0')
    assert.deepEqual(Object.keys(json['paths'] as object), Object.keys(document.paths))
  }
  const page = await web.ask({ path: '/api/docs', token: null })
  assert.equal(page.status, 200)
  assert.match(
    String(page.headers['content-security-policy']),
    /^default-src 'none'; style-src 'sha256-[\w+/=]+';/,
  )
  assert.doesNotMatch(page.text, /<script|https?:/)
  assert.ok(page.text.includes('/api/v1/list/{path}'))
})
