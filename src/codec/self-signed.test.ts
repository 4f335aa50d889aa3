import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { systemRandom } from '../base/random.ts'
import { fingerprintOf, selfSigned } from './self-signed.ts'

const from = Date.UTC(2026, 10, 21)
const hosts = [
  'laptop',
  'laptop.local',
  'localhost',
  '192.0.2.7',
  '127.0.0.1',
  ...Array.from({ length: 20 }, (_, n) => `name-${n}.example`),
]

test('another program reads the certificate as meant', () => {
  for (const years of [2, 30]) {
    const until = Date.UTC(2026 + years, 10, 21)
    const { key, certificate } = selfSigned({ name: 'PeerStor on Lapdöp', hosts, from, until }, systemRandom)
    const read = new X509Certificate(certificate)
    assert.equal(read.subject, 'CN=PeerStor on Lapdöp')
    assert.equal(read.issuer, read.subject)
    assert.deepEqual([read.validFromDate.getTime(), read.validToDate.getTime()], [from, until])
    assert.equal(read.checkPrivateKey(createPrivateKey(key)), true)
    assert.equal(read.verify(read.publicKey), true, 'signed by itself')
    assert.equal(read.ca, false)
    assert.deepEqual(read.keyUsage, ['1.3.6.1.5.5.7.3.1'])
    assert.equal(read.checkIP('192.0.2.7'), '192.0.2.7')
    for (const host of ['laptop', 'localhost', 'name-19.example']) assert.equal(read.checkHost(host), host)
    assert.equal(read.checkHost('elsewhere'), undefined)
    assert.equal(fingerprintOf(certificate), read.fingerprint256)
  }
})

test('two certificates have nothing in common but their names', () => {
  const [one, two] = [0, 1].map(
    () =>
      new X509Certificate(
        selfSigned({ name: 'x', hosts: ['x'], from, until: from + 1e9 }, systemRandom).certificate,
      ),
  )
  assert.notEqual(one!.serialNumber, two!.serialNumber)
  assert.notEqual(one!.fingerprint256, two!.fingerprint256)
})
