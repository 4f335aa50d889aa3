/** Chunks and segments so small that segments fill and die within seconds. For `--import`: threads get it too. */
import { limits } from '../../src/base/limits.ts'

const KiB = 1024
Object.assign(limits, {
  chunkMin: 16 * KiB,
  chunkNormal: 32 * KiB,
  chunkMax: 64 * KiB,
  sealedMax: 320 * KiB,
  segmentBytes: 1024 * KiB,
})
