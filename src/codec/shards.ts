/**
 * Reed-Solomon over one sealed chunk: k data shards, which are the chunk's bytes in order, and m parity
 * shards; any k of them give the chunk back (docs/FORMAT.md, Shards). Arithmetic is that of GF(2^8) with
 * the polynomial 0x11d; parity rows are a Cauchy matrix, of which every square part can be inverted.
 */
import assert from 'node:assert/strict'
import { limits } from '../base/limits.ts'
import { shardsWasm } from './wasm.generated.ts'

/** A chunk as so many data shards and so many parity shards: it survives the loss of any `m`. */
export interface ShardScheme {
  k: number
  m: number
}

/** A shard's bytes with its place, 0 to k+m-1; the data shards come first. */
export interface ShardPiece {
  place: number
  bytes: Uint8Array
}

/** `4+2`, as people write it. */
export function schemeText({ k, m }: ShardScheme): string {
  return `${k}+${m}`
}

/** Reads `4+2`; undefined when it is none, or out of limits. */
export function schemeOf(text: string): ShardScheme | undefined {
  const [, k, m] = /^(\d{1,2})\+(\d{1,2})$/.exec(text) ?? []
  const scheme = { k: Number(k), m: Number(m) }
  return isScheme(scheme) ? scheme : undefined
}

/** With one data shard, shards would be plain copies under one id. */
export function isScheme({ k, m }: ShardScheme): boolean {
  return (
    Number.isInteger(k) &&
    Number.isInteger(m) &&
    k >= 2 &&
    k <= limits.shardsData &&
    m >= 1 &&
    m <= limits.shardsParity
  )
}

/** Bytes of each shard of a chunk. */
export function shardBytes(length: number, { k }: ShardScheme): number {
  return Math.ceil(length / k)
}

const logs = new Uint8Array(256)
const powers = new Uint8Array(512)
for (let power = 0, value = 1; power < 255; power++) {
  powers[power] = powers[power + 255] = value
  logs[value] = power
  value = (value << 1) ^ (value >= 128 ? 0x11d : 0)
}

function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : powers[logs[a]! + logs[b]!]!
}

function inverse(a: number): number {
  return powers[255 - logs[a]!]!
}

type Matrix = readonly (readonly number[])[]

/** Parity shard i = the sum of (1 / ((k + i) xor j)) x data shard j. */
export function parityRows({ k, m }: ShardScheme): Matrix {
  return Array.from({ length: m }, (_, i) => Array.from({ length: k }, (_, j) => inverse((k + i) ^ j)))
}

/** All shards of a chunk, in order, each in a buffer of its own. */
export function encodeShards(
  chunk: Uint8Array,
  scheme: ShardScheme,
  kernel: SumKernel = fastest,
): Uint8Array[] {
  const size = shardBytes(chunk.length, scheme)
  const data = Array.from({ length: scheme.k }, (_, place) => {
    const piece = new Uint8Array(size)
    piece.set(chunk.subarray(place * size, Math.min(chunk.length, (place + 1) * size)))
    return piece
  })
  return [...data, ...kernel(parityRows(scheme), data)]
}

/** A chunk of `length` bytes from `k` shards, each at a place of its own; whether it is the right one says its id. */
export function decodeShards(
  pieces: readonly ShardPiece[],
  scheme: ShardScheme,
  length: number,
  kernel: SumKernel = fastest,
): Uint8Array {
  const { k } = scheme
  const size = shardBytes(length, scheme)
  assert(new Set(pieces.map(({ place }) => place)).size === k && pieces.length === k, 'k different shards')
  assert(
    pieces.every(({ bytes }) => bytes.length === size),
    'shards have one length',
  )
  const data = new Map(pieces.map(({ place, bytes }) => [place, bytes]))
  const missing = Array.from({ length: k }, (_, place) => place).filter((place) => !data.has(place))
  const rows = inverted(pieces.map(({ place }) => rowOf(place, scheme)))
  const made = kernel(
    missing.map((place) => rows[place]!),
    pieces.map(({ bytes }) => bytes),
  )
  for (const [index, place] of missing.entries()) data.set(place, made[index]!)
  const chunk = new Uint8Array(k * size)
  for (let place = 0; place < k; place++) chunk.set(data.get(place)!, place * size)
  return chunk.subarray(0, length)
}

/** How the shard at a place is made of the data shards. */
function rowOf(place: number, scheme: ShardScheme): readonly number[] {
  if (place >= scheme.k) return parityRows(scheme)[place - scheme.k]!
  return Array.from({ length: scheme.k }, (_, column) => (column === place ? 1 : 0))
}

/** Gauss and Jordan. */
function inverted(matrix: Matrix): Matrix {
  const size = matrix.length
  const rows = matrix.map((row, at) => [...row, ...row.map((_, column) => (column === at ? 1 : 0))])
  for (let at = 0; at < size; at++) {
    const pivot = rows.findIndex((row, index) => index >= at && row[at] !== 0)
    ;[rows[at], rows[pivot]] = [rows[pivot]!, rows[at]!]
    const scale = inverse(rows[at]![at]!)
    rows[at] = rows[at]!.map((value) => multiply(value, scale))
    for (let index = 0; index < size; index++) {
      const factor = rows[index]![at]!
      if (index === at || factor === 0) continue
      rows[index] = rows[index]!.map((value, column) => value ^ multiply(rows[at]![column]!, factor))
    }
  }
  return rows.map((row) => row.slice(size))
}

/** For each row of coefficients the sum of their products with the sources, which all have one length. */
export type SumKernel = (rows: Matrix, sources: readonly Uint8Array[]) => Uint8Array[]

/** Where WebAssembly is not allowed: a table of 256 products for each coefficient. */
export const portableSums: SumKernel = (rows, sources) =>
  rows.map((row) => {
    const sum = new Uint8Array(sources[0]?.length ?? 0)
    for (const [at, source] of sources.entries()) {
      const products = Uint8Array.from({ length: 256 }, (_, value) => multiply(row[at]!, value))
      for (let i = 0; i < sum.length; i++) sum[i]! ^= products[source[i]!]!
    }
    return sum
  })

const tablesAt = 8192
const blocksAt = 65_536
const blockBytes = 16_384
const memoryBytes = 7 * 65_536

assert(
  blocksAt + (limits.shardsData + limits.shardsParity) * blockBytes <= memoryBytes,
  'a block of every shard fits the memory of the kernel',
)
assert(limits.shardsData * limits.shardsParity * 32 <= blocksAt - tablesAt, 'so do the tables')

interface Exports {
  memory: { buffer: ArrayBuffer }
  sums(count: number, sources: number, length: number): void
}

/** The little of the WebAssembly interface that is used; Node's types leave it out. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { exports: unknown }
}

/** The kernel of tools/wasm/shards.ts, or undefined where WebAssembly does not run. */
export function wasmSums(): SumKernel | undefined {
  let kernel: Exports
  try {
    const module = new WebAssembly.Module(Buffer.from(shardsWasm, 'base64'))
    kernel = new WebAssembly.Instance(module).exports as Exports
  } catch {
    return undefined
  }
  const memory = new Uint8Array(kernel.memory.buffer, 0, memoryBytes)
  return (rows, sources) => sums(kernel, memory, rows, sources)
}

function sums(
  kernel: Exports,
  memory: Uint8Array,
  rows: Matrix,
  sources: readonly Uint8Array[],
): Uint8Array[] {
  const size = sources[0]?.length ?? 0
  const made = rows.map(() => new Uint8Array(size))
  if (rows.length === 0) return made
  memory.set(
    rows.flatMap((row) => row.flatMap(nibbleTables)),
    tablesAt,
  )
  for (let from = 0; from < size; from += blockBytes) {
    const length = Math.min(blockBytes, size - from)
    for (const [at, source] of sources.entries())
      memory.set(source.subarray(from, from + length), blocksAt + at * blockBytes)
    kernel.sums(rows.length, sources.length, length)
    for (const [at, sum] of made.entries()) {
      const begin = blocksAt + (sources.length + at) * blockBytes
      sum.set(memory.subarray(begin, begin + length), from)
    }
  }
  return made
}

/** A coefficient's products with 0 to 15, then with 16 times that. */
function nibbleTables(coefficient: number): number[] {
  const low = Array.from({ length: 16 }, (_, value) => multiply(coefficient, value))
  return [...low, ...Array.from({ length: 16 }, (_, value) => multiply(coefficient, value << 4))]
}

const fastest: SumKernel = wasmSums() ?? portableSums
