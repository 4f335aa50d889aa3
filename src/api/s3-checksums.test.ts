import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { checksumOf } from './s3-checksums.ts'

/** The check values of the catalogue of CRC algorithms, over "123456789". */
const known: Record<string, string> = {
  crc32: 'cbf43926',
  crc32c: 'e3069283',
  crc64nvme: 'ae8b14860a799888',
}

test('every checksum of "123456789" is the known one, in whatever pieces it comes', () => {
  for (const [name, value] of Object.entries(known)) {
    const whole = checksumOf(`x-amz-checksum-${name}`)
    whole?.update(Buffer.from('123456789'))
    assert.equal(whole?.digest().toString('hex'), value, name)
    const pieces = checksumOf(`x-amz-checksum-${name}`)
    for (const piece of ['12', '', '3456', '789']) pieces?.update(Buffer.from(piece))
    assert.equal(pieces?.digest().toString('hex'), value, `${name} in pieces`)
  }
  for (const [name, algorithm] of [
    ['x-amz-checksum-sha1', 'sha1'],
    ['x-amz-checksum-sha256', 'sha256'],
    ['content-md5', 'md5'],
  ] as const) {
    const checksum = checksumOf(name)
    checksum?.update(Buffer.from('abc'))
    assert.deepEqual(checksum?.digest(), createHash(algorithm).update('abc').digest())
  }
  assert.equal(checksumOf('x-amz-checksum-type'), undefined)
  assert.equal(checksumOf('x-amz-checksum-__proto__'), undefined)
})
