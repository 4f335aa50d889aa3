import assert from 'node:assert/strict'
import test from 'node:test'
import { systemRandom } from '../base/random.ts'
import { idOf, type PoolId } from '../base/words.ts'
import { agreementKey, newAgreementKey } from './agree.ts'
import { deviceIdOf, isSigned, newSigningKey, signingKey } from './sign.ts'

const pool = idOf<PoolId>(Buffer.alloc(32, 9))
const otherPool = idOf<PoolId>(Buffer.alloc(32, 8))

test('the keys of RFC 8032 and RFC 7748 give their public keys and secrets', () => {
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex')
  const publicKey = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'
  assert.equal(Buffer.from(signingKey(seed).publicKey).toString('hex'), publicKey)
  const alice = agreementKey(
    Buffer.from('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a', 'hex'),
  )
  const bob = Buffer.from('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f', 'hex')
  assert.equal(
    alice.shared(bob).toString('hex'),
    '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
  )
})

test('a signature covers purpose, pool and every byte', () => {
  const key = newSigningKey(systemRandom)
  const bytes = Buffer.from('some bytes')
  const signature = key.sign('batch', pool, bytes)
  const holds = (...args: Parameters<typeof isSigned>): boolean => isSigned(...args)
  assert.ok(holds(key.publicKey, signature, 'batch', pool, bytes))
  assert.ok(holds(key.publicKey, signature, 'batch', pool, bytes.subarray(0, 4), bytes.subarray(4)))
  assert.ok(!holds(key.publicKey, signature, 'statement', pool, bytes))
  assert.ok(!holds(key.publicKey, signature, 'batch', otherPool, bytes))
  assert.ok(!holds(key.publicKey, signature, 'batch', undefined, bytes))
  assert.ok(!holds(key.publicKey, signature, 'batch', pool, bytes.subarray(1)))
  assert.ok(!holds(newSigningKey(systemRandom).publicKey, signature, 'batch', pool, bytes))
  for (let at = 0; at < 64; at++) {
    const broken = Buffer.from(signature)
    broken[at]! ^= 1
    assert.ok(!holds(key.publicKey, broken, 'batch', pool, bytes))
  }
})

test('malformed keys and signatures are simply not signed', () => {
  const key = newSigningKey(systemRandom)
  const signature = key.sign('batch', pool)
  for (const bad of [
    Buffer.alloc(0),
    Buffer.alloc(31),
    Buffer.alloc(32),
    Buffer.alloc(32, 0xff),
    Buffer.alloc(33),
  ])
    assert.equal(isSigned(bad, signature, 'batch', pool), false)
  for (const bad of [Buffer.alloc(0), Buffer.alloc(63), Buffer.alloc(64), Buffer.alloc(65)])
    assert.equal(isSigned(key.publicKey, bad, 'batch', pool), false)
})

test("the pool's first record is signed over 32 zero bytes", () => {
  const key = newSigningKey(systemRandom)
  const zero = idOf<PoolId>(Buffer.alloc(32))
  assert.deepEqual(key.sign('batch', undefined, pool32), key.sign('batch', zero, pool32))
})

const pool32 = Buffer.alloc(32, 1)

test('two devices share one secret, and public keys of small order give none', () => {
  const [a, b] = [newAgreementKey(systemRandom), newAgreementKey(systemRandom)]
  assert.deepEqual(a.shared(b.publicKey), b.shared(a.publicKey))
  const smallOrder = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ]
  for (const hex of smallOrder) assert.throws(() => a.shared(Buffer.from(hex, 'hex')), { code: 'BAD_INPUT' })
})

test('keys of another length are refused', () => {
  for (const length of [0, 31, 33]) {
    assert.throws(() => signingKey(Buffer.alloc(length)), { code: 'INTERNAL' })
    assert.throws(() => agreementKey(Buffer.alloc(length)), { code: 'INTERNAL' })
    assert.throws(() => deviceIdOf(Buffer.alloc(length)), { code: 'INTERNAL' })
  }
})
