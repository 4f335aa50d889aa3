/**
 * Canonical CBOR (RFC 8949 §4.2.1), the small part PeerStor uses: integers, byte and text strings,
 * booleans, arrays, and maps with unsigned integer keys. Reading refuses everything that writing
 * would not give: longer forms, unsorted or repeated keys, floats, tags, null, indefinite lengths,
 * bad UTF-8. So decoding and encoding again always gives the same bytes (tested against cborg).
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

export type CborValue = number | string | boolean | Uint8Array | CborValue[] | CborMap
export type CborMap = Map<number, CborValue>

const major = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, simple: 7 } as const

/** Canonical bytes of `value`. A value with no canonical form is a programming error. */
export function encodeCbor(value: CborValue): Buffer {
  const writer = new Writer()
  writer.value(value)
  return writer.bytes()
}

/**
 * Reads exactly one canonical value of at most `maxBytes`, or fails with `BAD_INPUT` naming `what`.
 * Byte strings are views into `bytes`.
 */
export function decodeCbor(bytes: Uint8Array, what: string, maxBytes: number): CborValue {
  if (bytes.length > maxBytes) throw fail('TOO_LARGE', { what, limit: maxBytes })
  const reader = new Reader(bytes, what)
  const value = reader.value(0)
  reader.end()
  return value
}

class Writer {
  #buffer = Buffer.allocUnsafe(512)
  #at = 0

  bytes(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#at))
  }

  value(value: CborValue): void {
    if (typeof value === 'number') this.#integer(value)
    else if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'boolean') this.#head(major.simple, value ? 21 : 20)
    else if (value instanceof Uint8Array) this.#string(major.bytes, value)
    else if (Array.isArray(value)) this.#array(value)
    else this.#map(value)
  }

  #integer(value: number): void {
    if (!Number.isSafeInteger(value)) throw fail('INTERNAL', { reason: `${value} has no canonical form` })
    if (value < 0) this.#head(major.negative, -1 - value)
    else this.#head(major.uint, value)
  }

  #text(value: string): void {
    if (!value.isWellFormed()) throw fail('INTERNAL', { reason: 'a text is not well-formed Unicode' })
    this.#string(major.text, Buffer.from(value, 'utf8'))
  }

  #string(kind: number, bytes: Uint8Array): void {
    this.#head(kind, bytes.length)
    this.#room(bytes.length)
    this.#buffer.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #array(values: readonly CborValue[]): void {
    this.#head(major.array, values.length)
    for (const value of values) this.value(value)
  }

  #map(map: CborMap): void {
    this.#head(major.map, map.size)
    for (const [key, value] of [...map].sort((a, b) => a[0] - b[0])) {
      if (key < 0) throw fail('INTERNAL', { reason: `map key ${key} is negative` })
      this.#integer(key)
      this.value(value)
    }
  }

  #head(kind: number, argument: number): void {
    this.#room(9)
    const buffer = this.#buffer
    const first = kind << 5
    if (argument < 24) buffer[this.#at++] = first | argument
    else if (argument < 0x100) {
      buffer[this.#at++] = first | 24
      buffer[this.#at++] = argument
    } else if (argument < 0x1_0000) {
      buffer[this.#at++] = first | 25
      this.#at = buffer.writeUInt16BE(argument, this.#at)
    } else if (argument < 0x1_0000_0000) {
      buffer[this.#at++] = first | 26
      this.#at = buffer.writeUInt32BE(argument, this.#at)
    } else {
      buffer[this.#at++] = first | 27
      this.#at = buffer.writeUInt32BE(Math.floor(argument / 0x1_0000_0000), this.#at)
      this.#at = buffer.writeUInt32BE(argument % 0x1_0000_0000, this.#at)
    }
  }

  #room(count: number): void {
    if (this.#at + count <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + count))
    larger.set(this.#buffer.subarray(0, this.#at))
    this.#buffer = larger
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class Reader {
  readonly #bytes: Buffer
  readonly #what: string
  #at = 0

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  end(): void {
    if (this.#at !== this.#bytes.length) this.#refuse('bytes follow its end')
  }

  value(depth: number): CborValue {
    if (depth > limits.cborDepth) this.#refuse(`it nests deeper than ${limits.cborDepth}`)
    const first = this.#byte()
    const kind = first >> 5
    if (kind === major.simple) return this.#boolean(first)
    const argument = this.#argument(first & 31)
    if (kind === major.uint) return argument
    if (kind === major.negative) return this.#negative(argument)
    if (kind === major.bytes) return this.#string(argument)
    if (kind === major.text) return this.#text(argument)
    if (kind === major.array) return this.#array(argument, depth)
    if (kind === major.map) return this.#map(argument, depth)
    return this.#refuse('it holds a tag')
  }

  #boolean(first: number): boolean {
    if (first !== 0xf4 && first !== 0xf5) this.#refuse('it holds a float, null or other simple value')
    return first === 0xf5
  }

  #negative(argument: number): number {
    const value = -1 - argument
    return Number.isSafeInteger(value) ? value : this.#refuse('an integer is too large')
  }

  #string(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) this.#refuse('it ends too early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  #text(length: number): string {
    const bytes = this.#string(length)
    try {
      return utf8.decode(bytes)
    } catch {
      return this.#refuse('a text is not UTF-8')
    }
  }

  #array(length: number, depth: number): CborValue[] {
    if (length > this.#bytes.length - this.#at) this.#refuse('it ends too early')
    const values: CborValue[] = []
    for (let i = 0; i < length; i++) values.push(this.value(depth + 1))
    return values
  }

  #map(size: number, depth: number): CborMap {
    const map: CborMap = new Map()
    let last = -1
    for (let i = 0; i < size; i++) {
      const first = this.#byte()
      if (first >> 5 !== major.uint) this.#refuse('a map key is not an unsigned integer')
      const key = this.#argument(first & 31)
      if (key <= last) this.#refuse('map keys are not in order')
      map.set(key, this.value(depth + 1))
      last = key
    }
    return map
  }

  /** The number that follows a first byte, in its shortest form only. */
  #argument(short: number): number {
    if (short < 24) return short
    if (short > 27) return this.#refuse('it holds an indefinite or reserved length')
    const size = 1 << (short - 24)
    if (size > this.#bytes.length - this.#at) this.#refuse('it ends too early')
    const at = this.#at
    this.#at += size
    if (size === 1) return this.#shortest(this.#bytes[at]!, 24)
    if (size === 2) return this.#shortest(this.#bytes.readUInt16BE(at), 0x100)
    if (size === 4) return this.#shortest(this.#bytes.readUInt32BE(at), 0x1_0000)
    const high = this.#bytes.readUInt32BE(at)
    if (high >= 0x20_0000) this.#refuse('an integer is too large')
    return this.#shortest(high * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4), 0x1_0000_0000)
  }

  #shortest(argument: number, least: number): number {
    return argument >= least ? argument : this.#refuse('a number is not in its shortest form')
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) this.#refuse('it ends too early')
    return this.#bytes[this.#at++]!
  }

  #refuse(reason: string): never {
    throw fail('BAD_INPUT', { what: this.#what, reason })
  }
}
