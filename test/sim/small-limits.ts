/**
 * Limits small enough that a few hundred small files fill segments, pages, batches and manifests:
 * what a real pool meets after weeks, a simulation meets in seconds. Import this before anything
 * else: rooms read some limits when they are loaded.
 */
import { limits } from '../../src/base/limits.ts'

const KiB = 1024
const minute = 60_000

Object.assign(limits, {
  chunkMin: KiB,
  chunkNormal: 2 * KiB,
  chunkMax: 4 * KiB,
  sealedMax: 64 * KiB,
  manifestFanout: 8,
  inlineChunks: 4,
  batchRecords: 16,
  segmentBytes: 192 * KiB,
  reserveBytes: 128 * KiB,
  bulkBytes: 1024 * KiB,
  feedChanges: 64,
  feedBatches: 8,
  offerChunks: 32,
  getChunks: 16,
  releaseChunks: 16,
  graceMs: 10 * minute,
  graceLastCopyMs: 2 * minute,
  promiseMs: 40_000,
  promiseUseMs: 15_000,
  rebalanceEveryMs: 5 * minute,
})
