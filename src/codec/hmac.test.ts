import assert from 'node:assert/strict'
import test from 'node:test'
import { acceptsHmac, hmacSha256 } from './hmac.ts'

test('HMAC-SHA256 is that of RFC 4231, and only the whole of it is accepted', () => {
  const key = Buffer.from('Jefe')
  const text = 'what do ya want for nothing?'
  const right = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  assert.equal(hmacSha256(key, text).toString('hex'), right)
  assert.ok(acceptsHmac(key, text, right))
  for (const wrong of ['', right.slice(0, 62), `${right}00`, right.replace('5b', '5c'), 'x'.repeat(64)])
    assert.ok(!acceptsHmac(key, text, wrong), wrong)
})
