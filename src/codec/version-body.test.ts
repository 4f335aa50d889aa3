import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId } from '../base/words.ts'
import type { ChunkRef } from './codec.ts'
import {
  decodeContent,
  decodeVersionBody,
  encodeContent,
  encodeVersionBody,
  type VersionBody,
} from './version-body.ts'

const ref = (length: number, level: number): ChunkRef => ({
  id: 'ab'.repeat(32) as ChunkId,
  ck: Buffer.alloc(32, 1),
  length,
  level,
})

const body: VersionBody = {
  kind: 'file',
  path: 'a/ü.txt',
  mode: 0o644,
  modified: 1_700_000_000_000,
  created: 1_600_000_000_000,
  size: 30,
  hash: Buffer.alloc(32, 2),
  content: { form: 'inline', chunks: [ref(10, 0), ref(20, 0)] },
  type: 'text/plain',
  tags: ['one', 'two'],
  description: 'a note',
}

test('a body is read as it was written', () => {
  for (const value of [
    body,
    { ...body, tags: [], description: '' },
    { ...body, content: { form: 'manifest', root: ref(30, 2) } as const },
    { ...body, kind: 'link', target: '../b', size: 0, content: { form: 'inline', chunks: [] } } as const,
    { ...body, kind: 'removed', size: 0, content: { form: 'inline', chunks: [] } } as const,
  ]) {
    const bytes = encodeVersionBody(value)
    assert.deepEqual(encodeVersionBody(decodeVersionBody(bytes)), bytes)
    assert.deepEqual(decodeVersionBody(bytes).tags, value.tags)
    assert.equal(decodeVersionBody(bytes).path, value.path)
    assert.deepEqual(decodeContent(encodeContent(value.content)), decodeVersionBody(bytes).content)
  }
})

test('a body that contradicts itself or passes a limit is refused', () => {
  const chunks = Array.from({ length: limits.inlineChunks + 1 }, () => ref(1, 0))
  for (const wrong of [
    { ...body, size: 31 },
    { ...body, content: { form: 'inline', chunks: [ref(30, 1)] } as const },
    { ...body, content: { form: 'manifest', root: ref(30, 0) } as const },
    { ...body, size: chunks.length, content: { form: 'inline', chunks } as const },
    { ...body, path: 'x'.repeat(limits.pathBytes + 1) },
    { ...body, mode: 0o10000 },
    { ...body, hash: Buffer.alloc(31) },
    // One more than people may give is the tag that names an epoch.
    { ...body, tags: Array.from({ length: limits.tags + 2 }, String) },
  ])
    assert.throws(
      () => decodeVersionBody(encodeVersionBody(wrong)),
      (thrown) => isCode(thrown, 'BAD_INPUT'),
    )
})
