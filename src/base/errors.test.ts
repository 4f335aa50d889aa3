import assert from 'node:assert/strict'
import test from 'node:test'
import { asPeerStorError, catalogue, type ErrorCode, contributionFull, fail, isCode } from './errors.ts'

const codes = Object.keys(catalogue) as ErrorCode[]

test('text and next step are filled from the data, lists with commas', () => {
  const error = fail('INVITER_UNREACHABLE', {
    peer: 'desk',
    addresses: ['/ip4/10.0.0.2/tcp/8081', 'desk:8081'],
  })
  assert.equal(
    error.message,
    'the inviting device desk could not be reached at /ip4/10.0.0.2/tcp/8081, desk:8081',
  )
  assert.equal(
    fail('SETTING_INVALID', { key: 'port', value: 0, reason: 'too small' }).next,
    'correct it: peerstor config set port VALUE',
  )
  assert.equal(
    contributionFull(5, 'a.txt', 7).message,
    'the contributed space of 5 bytes is full: a.txt needs 7 bytes',
  )
})

test('what the data lacks stays visible, and a value is not filled twice', () => {
  assert.equal(fail('BAD_PATH', { path: '{reason}' }).message, 'path {reason} is not valid: {reason}')
})

test('an error carries its row and its cause, and prints no more than code, message and next', () => {
  const cause = new Error('EIO')
  const error = fail('NOT_FOUND', { what: 'file', name: 'a' }, cause)
  assert.equal(error.cause, cause)
  assert.equal(error.status, 404)
  assert.equal(error.exit, 1)
  assert.equal(fail('BAD_USAGE', { reason: 'no file named' }).exit, 2)
  assert.deepEqual(JSON.parse(JSON.stringify(error)), {
    code: 'NOT_FOUND',
    message: 'file a does not exist',
    next: 'list what is there: peerstor ls',
  })
})

test('any thrown value becomes a catalogue error', () => {
  const known = fail('FORBIDDEN', { role: 'storage', action: 'read' })
  assert.equal(asPeerStorError(known), known)
  const abort = new DOMException('stop', 'AbortError')
  assert.equal(asPeerStorError(abort).exit, 130)
  const unknown = asPeerStorError(new TypeError('x is undefined'))
  assert.equal(unknown.message, 'an unexpected error: x is undefined')
  assert.ok(unknown.cause instanceof TypeError)
  assert.equal(asPeerStorError('text').message, 'an unexpected error: text')
  assert.ok(isCode(known, 'FORBIDDEN') && !isCode(known, 'NOT_FOUND') && !isCode(abort, 'INTERRUPTED'))
})

test('every row has a status and an exit code of the contract, and a sentence without a full stop', () => {
  for (const code of codes) {
    const error = fail(code)
    assert.ok(error.status >= 200 && error.status < 600, code)
    assert.ok([1, 2, 130].includes(error.exit), code)
    assert.match(error.message, /^[a-z{].*[^.]$/, code)
    assert.match(error.next, /^[a-z].*[^.]$/, code)
  }
})
