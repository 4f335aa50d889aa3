import assert from 'node:assert/strict'
import test from 'node:test'
import { assert as check, jsonValue, property } from 'fast-check'
import { idOf, type PoolId } from '../base/words.ts'
import { canonicalJson, isJsonSigned, signJson, type Json } from './signed-json.ts'
import { signingKey } from './sign.ts'

const key = signingKey(Buffer.alloc(32, 3))
const pool = idOf<PoolId>(Buffer.alloc(32, 9))

test('one form for every order of keys, and any reader gets the same value back', () => {
  assert.equal(
    canonicalJson({ b: [1, { d: null, c: undefined }], a: 'é"' }),
    '{"a":"é\\"","b":[1,{"d":null}]}',
  )
  check(
    property(jsonValue(), (value) => {
      const text = canonicalJson(value as Json)
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
      assert.equal(canonicalJson(JSON.parse(text) as Json), text)
    }),
  )
})

test('a signature holds for the value in any writing, and for nothing else', () => {
  const value = { time: '2026-11-21', files: { safe: 3, lost: 0 }, names: ['a', 'b'] }
  const signed = signJson(key, 'report', pool, value)
  const again = JSON.parse(
    JSON.stringify({ names: value.names, files: value.files, time: value.time }, null, 4),
  )
  assert.ok(isJsonSigned(signed, 'report', pool, again as Json))
  const other = signingKey(Buffer.alloc(32, 4))
  const forged = signJson(other, 'report', pool, value)
  const wrong: [string, Parameters<typeof isJsonSigned>][] = [
    ['another value', [signed, 'report', pool, { ...value, files: { safe: 3, lost: 1 } }]],
    ['a member more', [signed, 'report', pool, { ...value, more: null }]],
    ['another order in a list', [signed, 'report', pool, { ...value, names: ['b', 'a'] }]],
    ['another purpose', [signed, 'statement', pool, value]],
    ['another pool', [signed, 'report', idOf<PoolId>(Buffer.alloc(32, 8)), value]],
    ['another device', [{ ...forged, device: signed.device }, 'report', pool, value]],
    ['another key', [{ ...signed, key: forged.key }, 'report', pool, value]],
    ['half a signature', [{ ...signed, signature: signed.signature.slice(0, 40) }, 'report', pool, value]],
    ['half a key', [{ ...signed, key: signed.key.slice(0, 32) }, 'report', pool, value]],
  ]
  for (const [what, asked] of wrong) assert.equal(isJsonSigned(...asked), false, what)
})
