import assert from 'node:assert/strict'
import test from 'node:test'
import {
  idOf,
  type DeviceId,
  type EntryId,
  type FolderId,
  type Incarnation,
  type PoolId,
} from '../base/words.ts'
import { folderKeys } from './folder-keys.ts'
import { decodeBatch, isBatchSigned, makeRecord, signBatch } from './record-bytes.ts'
import { recordKinds, type RecordHead, type SignedRecord } from './record.ts'
import { openRecordBody, sealRecordBody } from './seal.ts'
import { deviceIdOf, signingKey } from './sign.ts'

const key = signingKey(Buffer.alloc(32, 7))
const folder = idOf<FolderId>(Buffer.alloc(32, 1))
const pool = idOf<PoolId>(Buffer.alloc(32, 9))
const keys = folderKeys(folder, Buffer.alloc(32, 2), Buffer.alloc(32, 3))

function headAt(seq: number, previous: SignedRecord | undefined, more: Partial<RecordHead> = {}): RecordHead {
  return {
    kind: recordKinds.version,
    folder,
    epoch: keys.epoch,
    entry: idOf<EntryId>(Buffer.alloc(16, seq)),
    device: deviceIdOf(key.publicKey),
    incarnation: idOf<Incarnation>(Buffer.alloc(16, 4)),
    seq,
    ...(previous === undefined ? {} : { previous: previous.hash }),
    time: { ms: 1_800_000_000_000 + seq, counter: 0 },
    parents: [],
    ...more,
  }
}

function run(count: number): SignedRecord[] {
  const records: SignedRecord[] = []
  for (let seq = 0; seq < count; seq++) {
    const head = headAt(seq, records.at(-1))
    records.push(makeRecord(head, sealRecordBody(keys, head, Buffer.from(`body ${seq}`))))
  }
  return records
}

test('a batch is read back as it was signed', () => {
  const batch = signBatch(run(3), key, pool)
  const read = decodeBatch(batch.bytes)
  assert.deepEqual(
    read.records.map(({ hash, head }) => ({ hash, head })),
    batch.records.map(({ hash, head }) => ({ hash, head })),
  )
  assert.ok(isBatchSigned(read, key.publicKey, pool))
  assert.ok(!isBatchSigned(read, key.publicKey, undefined), 'the pool is signed too')
  const { head, body } = read.records[1]!
  assert.equal(openRecordBody(keys, head, body!).toString(), 'body 1')
})

test('a body sealed for another head is refused', () => {
  const [first, second] = run(2)
  assert.throws(() => openRecordBody(keys, first!.head, second!.body!), {
    code: 'RECORD_INVALID',
    message: /another head/,
  })
})

test('a batch may lack bodies, and its signature still holds', () => {
  const batch = signBatch(run(2), key, pool)
  const dropped = batch.records.map((record) => ({ ...record, body: undefined }))
  const read = decodeBatch(signBatch(dropped, key, pool).bytes)
  assert.equal(read.records[0]!.body, undefined)
  assert.ok(isBatchSigned({ ...read, signature: batch.signature }, key.publicKey, pool))
})

const device2 = idOf<DeviceId>(Buffer.alloc(32, 5))
const broken: [string, () => SignedRecord[]][] = [
  ['a later record that links to none', () => [makeRecord(headAt(1, undefined))]],
  ['no records', () => []],
  ['too many records', () => run(257)],
  ['a gap in numbers', () => [run(3)[0]!, run(3)[2]!]],
  [
    'another device',
    () => {
      const [a] = run(1)
      return [a!, makeRecord(headAt(1, a, { device: device2 }))]
    },
  ],
  [
    'no link',
    () => {
      const [a] = run(1)
      return [a!, makeRecord(headAt(1, undefined))]
    },
  ],
  [
    'a wrong link',
    () => {
      const [a, b] = run(2)
      return [a!, makeRecord(headAt(1, b))]
    },
  ],
  [
    'an authority record in the middle',
    () => {
      const a = makeRecord(headAt(0, undefined, { kind: recordKinds.admin }))
      return [a, makeRecord(headAt(1, a))]
    },
  ],
  [
    'a foreign body',
    () => {
      const [a] = run(1)
      return [{ ...a!, body: Buffer.from('x') }]
    },
  ],
  ['a body without its hash', () => [{ ...makeRecord(headAt(0, undefined)), body: Buffer.from('x') }]],
]
for (const [name, records] of broken)
  test(`a batch with ${name} is refused`, () => {
    assert.throws(() => signBatch(records(), key, pool), { name: 'PeerStorError' })
  })
