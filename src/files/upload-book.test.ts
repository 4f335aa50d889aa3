/** Rows of uploads: what ended makes room for what begins. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { limits } from '../base/limits.ts'
import { systemRandom } from '../base/random.ts'
import type { FolderId, RecordHash } from '../base/words.ts'
import type { OwnState } from '../store/store.ts'
import { UploadBook, type UploadRow } from './upload-book.ts'

/** Own rows in memory, as JSON like those on a disk. */
function ownRows(): OwnState {
  const rows = new Map<string, Map<string, string>>()
  const of = (kind: string): Map<string, string> => {
    const found = rows.get(kind) ?? new Map<string, string>()
    rows.set(kind, found)
    return found
  }
  const parsed = <T>(text: string): T => JSON.parse(text) as T
  return {
    get: <T>(kind: string, id: string) => {
      const text = of(kind).get(id)
      return text === undefined ? undefined : parsed<T>(text)
    },
    list: <T>(kind: string) => [...of(kind)].map(([id, text]) => ({ id, value: parsed<T>(text) })),
    count: (kind: string) => of(kind).size,
    put: async (kind: string, id: string, value: unknown) => void of(kind).set(id, JSON.stringify(value)),
    remove: async (kind: string, id: string) => void of(kind).delete(id),
  } as OwnState
}

const row: Omit<UploadRow, 'expires'> = {
  upload: { path: 'files/a' },
  folder: '11'.repeat(32) as FolderId,
  cutAs: undefined,
  offset: 0,
  blocks: [],
  listed: '',
  tail: [],
  sentBytes: 0,
  savedBytes: 0,
}
const result = {
  path: 'files/a',
  size: 0,
  hash: '',
  version: '' as RecordHash,
  copies: 1,
  sentBytes: 0,
  savedBytes: 0,
}

test('uploads that ended never keep new ones out, and the latest of them are told of', async () => {
  const own = ownRows()
  const clock = new ManualClock()
  const book = new UploadBook(() => own, clock, systemRandom)
  const ended: string[] = []
  for (let count = 0; count < limits.uploads + 10; count += 1) {
    const id = await book.begin(row)
    await book.put(id, { ...row, expires: 0, result })
    await clock.advance(1)
    ended.push(id)
  }
  assert.ok(own.count('upload') <= limits.uploadsEnded + 1)
  assert.deepEqual(book.open(ended.at(-1)!).result, result)
  assert.throws(() => book.open(ended[0]!), { code: 'UPLOAD_UNKNOWN' })
})

test('of those under way there are only so many', async () => {
  const own = ownRows()
  const book = new UploadBook(() => own, new ManualClock(), systemRandom)
  for (let count = 0; count < limits.uploads; count += 1) await book.begin(row)
  await assert.rejects(book.begin(row), { code: 'RATE_LIMITED' })
})
