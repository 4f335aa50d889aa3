import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '../base/random.ts'
import { hashPassword, isPassword } from './password.ts'

test('a password is known again, in whatever form it was typed, and no other is', async () => {
  const known = await hashPassword('Zürich 1291', systemRandom)
  assert.equal(await isPassword('Zürich 1291'.normalize('NFD'), known), true)
  for (const wrong of ['', 'Zürich 1292', 'zürich 1291', 'Zürich 1291 '])
    assert.equal(await isPassword(wrong, known), false)
  assert.notEqual((await hashPassword('Zürich 1291', systemRandom)).hash, known.hash, 'salted')
})

test('it is argon2id as the reference implementation makes it, whatever it cost when it was made', async () => {
  // Its test vectors for version 0x13: memory, passes, lanes, then the hash of `password` with salt `somesalt`.
  for (const [memory, hex] of [
    [65_536, '09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7'],
    [256, '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe'],
  ] as const) {
    const salt = Buffer.from('somesalt').toString('base64url')
    const hash = Buffer.from(hex, 'hex').toString('base64url')
    assert.equal(await isPassword('password', { memory, passes: 2, lanes: 1, salt, hash }), true)
  }
  const { memory, passes, lanes } = await hashPassword('password', systemRandom)
  assert.deepEqual({ memory, passes, lanes }, { memory: 65_536, passes: 3, lanes: 4 })
})
