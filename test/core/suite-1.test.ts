import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import type { ChunkId, FolderId } from '../../src/base/words.ts'
import { agreementKey } from '../../src/codec/agree.ts'
import type { VerifiedBytes } from '../../src/codec/codec.ts'
import { epochIdOf } from '../../src/codec/folder-keys.ts'
import { decodeBatch, isBatchSigned } from '../../src/codec/record-bytes.ts'
import { openChunk, unwrapEpochKey } from '../../src/codec/seal.ts'
import { suite1, suite1File } from '../vectors/suite-1.ts'

interface SealedVector {
  type: 'data' | 'manifest' | 'listing'
  level: number
  plaintext: string
  ck: string
  id: ChunkId
  sealed: string
}

interface Vectors {
  inputs: { folder: FolderId; epochKey: string }
  sealed: SealedVector[]
  compressed: SealedVector
  records: { recordKey: string; firstBatch: string; batch: string }
  wraps: { recipientSeed: string; wrap: string }
}

const vectors = JSON.parse(readFileSync(suite1File, 'utf8')) as Vectors
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

test('this program makes every byte of the frozen vectors', async () => {
  const { compressed: _, ...made } = vectors
  assert.deepEqual(JSON.parse(JSON.stringify(await suite1())), made)
})

test('this program opens the frozen vectors by id and key alone', () => {
  for (const { type, level, plaintext, ck, id, sealed } of [...vectors.sealed, vectors.compressed]) {
    const opened = openChunk(id, bytes(ck), bytes(sealed) as Uint8Array as VerifiedBytes, { type, level })
    assert.equal(opened.plaintext.toString('hex'), plaintext)
  }
})

test('this program reads the frozen batches and the frozen wrap', () => {
  const { recordKey, firstBatch } = vectors.records
  assert.ok(isBatchSigned(decodeBatch(bytes(firstBatch)), bytes(recordKey), undefined))
  const { folder, epochKey } = vectors.inputs
  const recipient = agreementKey(bytes(vectors.wraps.recipientSeed))
  const epoch = epochIdOf(folder, bytes(epochKey))
  assert.equal(unwrapEpochKey(recipient, folder, epoch, bytes(vectors.wraps.wrap)).toString('hex'), epochKey)
})
