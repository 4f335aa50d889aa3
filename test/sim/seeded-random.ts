/** Random numbers that depend on a seed alone: a failing run is repeated by its seed. */
import type { Random } from '../../src/base/random.ts'

/** sfc32: 128 bits of state, passes PractRand; quick and the same on every platform. */
export class SeededRandom implements Random {
  #a = 0x9e3779b9
  #b = 0x243f6a88
  #c = 0xb7e15162
  #counter: number

  constructor(seed: number) {
    this.#counter = seed | 0
    for (let round = 0; round < 16; round++) this.word()
  }

  /** 32 bits, unsigned. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  number(): number {
    return this.word() / 2 ** 32
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count)
    let at = 0
    for (; at + 4 <= count; at += 4) bytes.writeUInt32LE(this.word(), at)
    for (; at < count; at++) bytes[at] = this.word() & 0xff
    return bytes
  }

  /** An integer from 0 to `below - 1`. */
  below(below: number): number {
    return Math.floor(this.number() * below)
  }

  /** An integer from `min` to `max`. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1)
  }

  chance(probability: number): boolean {
    return this.number() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  shuffled<T>(items: readonly T[]): T[] {
    const order = [...items]
    for (let last = order.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      ;[order[last], order[other]] = [order[other] as T, order[last] as T]
    }
    return order
  }

  /** Another generator that depends on this one's place only. */
  fork(): SeededRandom {
    return new SeededRandom(this.word())
  }
}
