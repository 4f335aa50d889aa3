import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import * as fc from 'fast-check'
import { limits } from '../base/limits.ts'
import { idOf, type FolderId } from '../base/words.ts'
import { portableKernel, wasmKernel, type CutKernel } from './cut-kernel.ts'
import { Cutter, cutSizes, gearTable, type CutSizes } from './cut.ts'
import { folderKeys } from './folder-keys.ts'
import { keyed } from './hash.ts'

const folder = idOf<FolderId>(Buffer.alloc(32, 1))
const keys = folderKeys(folder, Buffer.alloc(32, 2), Buffer.alloc(32, 3))
const otherKeys = folderKeys(folder, Buffer.alloc(32, 4), Buffer.alloc(32, 3))

/** Small sizes, so that a property test sees many cuts. */
const small: CutSizes = { min: 64, normal: 128, max: 256, bitsBefore: 8, bitsAfter: 5 }

function cut(pieces: readonly Uint8Array[], sizes: CutSizes, kernel?: CutKernel, of = keys): Uint8Array[] {
  const cutter = new Cutter(of, sizes, undefined, kernel)
  const chunks = pieces.flatMap((piece) => cutter.push(piece))
  const last = cutter.end()
  return last === undefined ? chunks : [...chunks, last]
}

const lengths = (chunks: readonly Uint8Array[]): number[] => chunks.map(({ length }) => length)

/** `bytes` in pieces of the given sizes, the rest as one. */
function split(bytes: Uint8Array, steps: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let at = 0
  for (const step of steps) {
    pieces.push(bytes.subarray(at, at + step))
    at += step
  }
  return [...pieces, bytes.subarray(at)]
}

const bytesOf = fc.oneof(
  fc.uint8Array({ maxLength: 5000, size: 'max' }),
  fc.tuple(fc.nat(255), fc.nat(5000)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
)

test('cuts depend neither on how the source came in pieces nor on the kernel', () => {
  const wasm = wasmKernel()
  assert.ok(wasm, 'WebAssembly runs here')
  fc.assert(
    fc.property(bytesOf, fc.array(fc.integer({ min: 0, max: 700 })), (bytes, steps) => {
      const whole = cut([bytes], small, wasm)
      assert.ok(Buffer.concat(whole).equals(bytes))
      for (const kernel of [wasm, portableKernel])
        assert.deepEqual(lengths(cut(split(bytes, steps), small, kernel)), lengths(whole))
    }),
    { numRuns: 300 },
  )
})

test('both kernels cut real sizes alike, also where pieces pass 64 KiB', () => {
  const bytes = randomBytes(5_000_000)
  const whole = lengths(cut([bytes], cutSizes(), wasmKernel()))
  assert.deepEqual(
    lengths(cut(split(bytes, [1, 65_535, 65_537, 300_001, 7]), cutSizes(), portableKernel)),
    whole,
  )
  assert.ok(whole.length > 4)
})

test('chunks keep their limits and are about as long as meant', () => {
  const chunks = cut([randomBytes(40_000_000)], cutSizes())
  const mean = 40_000_000 / chunks.length
  for (const { length } of chunks.slice(0, -1))
    assert.ok(length > limits.chunkMin && length <= limits.chunkMax)
  assert.ok(mean > 480_000 && mean < 760_000, `mean ${mean}`)
})

test('bytes without any end are cut at the largest size', () => {
  const never: CutKernel = { scan: () => 0 }
  assert.deepEqual(
    lengths(cut([Buffer.alloc(2_500_000)], cutSizes(), never)),
    [1_048_576, 1_048_576, 402_848],
  )
})

test('the hash starts anew with each chunk', () => {
  const starts: boolean[] = []
  const kernel: CutKernel = {
    scan: ({ hash }, bytes) => {
      starts.push(hash.every((byte) => byte === 0))
      hash.fill(1)
      return bytes.length
    },
  }
  assert.equal(cut([Buffer.alloc(1_300_000)], cutSizes(), kernel).length, 3)
  assert.deepEqual(starts, [true, true], 'the last is too short to be scanned')
})

test('sources over 64 GiB are cut four times larger', () => {
  assert.equal(cutSizes(limits.hugeFile).max, limits.chunkMax)
  const huge = cutSizes(limits.hugeFile + 1)
  assert.deepEqual(
    [huge.min, huge.normal, huge.max],
    [1, 2, 4].map((n) => n * 1_048_576),
  )
})

test('after an inserted byte the cuts fall into step again', () => {
  const bytes = randomBytes(8_000_000)
  const before = new Set(lengths(cut([bytes], cutSizes())).slice(1, -1))
  const after = lengths(cut([Buffer.of(1), bytes], cutSizes())).slice(1, -1)
  assert.ok(after.filter((length) => before.has(length)).length >= after.length - 3)
})

test('two folders cut one file at other places', () => {
  const bytes = randomBytes(200_000)
  const ends = (of: typeof keys): Set<number> => {
    let at = 0
    return new Set(lengths(cut([bytes], small, undefined, of)).map((length) => (at += length)))
  }
  const [one, other] = [ends(keys), ends(otherKeys)]
  const shared = [...one].filter((end) => other.has(end)).length
  assert.ok(one.size > 1000)
  assert.ok(shared < one.size / 20, `${shared} of ${one.size} ends are shared`)
})

test('each chunk is in a buffer of its own', () => {
  const chunks = cut([randomBytes(3_000_000)], cutSizes())
  assert.equal(new Set(chunks.map(({ buffer }) => buffer)).size, chunks.length)
})

test('the gear table is the first 8 bytes of the keyed hash of each byte', () => {
  const table = gearTable(keys)
  for (const byte of [0, 1, 255])
    assert.deepEqual(
      Buffer.from(table.subarray(byte * 8, byte * 8 + 8)),
      keyed(keys.gear, Uint8Array.of(byte)).subarray(0, 8),
    )
})
