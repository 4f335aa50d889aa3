/**
 * Schemas for canonical CBOR: one definition writes and reads a message with limits and clear errors.
 *
 * ```ts
 * const offer = fields({ folder: field(0, id<FolderId>()), ids: field(1, list(id<ChunkId>(), 1024)) })
 * const head = encode(offer, { folder, ids })
 * const { folder, ids } = decode(offer, head, 'offer', limits.requestBodyBytes)
 * ```
 */
import { fail } from '../base/errors.ts'
import { idBytes, idOf, type HexId } from '../base/words.ts'
import { decodeCbor, encodeCbor, type CborMap, type CborValue } from './cbor.ts'

export interface Schema<T> {
  /** The CBOR form of a value. */
  write(value: T): CborValue
  /** The value of a CBOR form; `fail`s through `refuse` with `path`, the field's place in the message. */
  read(value: CborValue, path: string): T
}

/** The type that a schema reads and writes. */
export type Read<S> = S extends Schema<infer T> ? T : never

/** Canonical bytes of `value`. */
export function encode<T>(schema: Schema<T>, value: T): Buffer {
  return encodeCbor(schema.write(value))
}

/** Reads canonical bytes from outside: `BAD_INPUT` or `TOO_LARGE` naming `what` and the field. */
export function decode<T>(schema: Schema<T>, bytes: Uint8Array, what: string, maxBytes: number): T {
  const value = decodeCbor(bytes, what, maxBytes)
  try {
    return schema.read(value, '')
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown
    throw fail('BAD_INPUT', { what, reason: thrown.message })
  }
}

class Refusal extends Error {}

/** Refuses a value from inside a schema's `read`. */
export function refuse(path: string, reason: string): never {
  throw new Refusal(path === '' ? reason : `${path} ${reason}`)
}

/** An integer from `min` to `max`. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Schema<number> {
  return {
    write: (value) => value,
    read: (value, path) => {
      if (typeof value !== 'number') return refuse(path, 'is not an integer')
      if (value < min || value > max) return refuse(path, `is ${value}, outside ${min} to ${max}`)
      return value
    },
  }
}

/** An integer from 0 to `max`. */
export function uint(max?: number): Schema<number> {
  return integer(0, max)
}

/** UTF-8 text of at most `maxBytes`. */
export function text(maxBytes: number): Schema<string> {
  return {
    write: (value) => value,
    read: (value, path) => {
      if (typeof value !== 'string') return refuse(path, 'is not a text')
      if (Buffer.byteLength(value) > maxBytes) return refuse(path, `is longer than ${maxBytes} bytes`)
      return value
    },
  }
}

/** `min` to `max` bytes; one argument: exactly that many. The read value is a view into the message. */
export function bytes(min: number, max: number = min): Schema<Uint8Array> {
  return {
    write: (value) => value,
    read: (value, path) => {
      if (!(value instanceof Uint8Array)) return refuse(path, 'is not a byte string')
      if (value.length < min || value.length > max)
        return refuse(path, `has ${value.length} bytes instead of ${min === max ? min : `${min} to ${max}`}`)
      return value
    },
  }
}

export const boolean: Schema<boolean> = {
  write: (value) => value,
  read: (value, path) => (typeof value === 'boolean' ? value : refuse(path, 'is not true or false')),
}

/** Any canonical value. */
export const anything: Schema<CborValue> = { write: (value) => value, read: (value) => value }

/** A 32-byte id: hex text in the program, bytes in the message. */
export function id<Id extends HexId>(): Schema<Id> {
  return hexId(32)
}

/** A 16-byte id: hex text in the program, bytes in the message. */
export function shortId<Id extends HexId>(): Schema<Id> {
  return hexId(16)
}

function hexId<Id extends HexId>(size: number): Schema<Id> {
  const form = bytes(size)
  return { write: idBytes, read: (value, path) => idOf<Id>(form.read(value, path)) }
}

/** Up to `max` items. */
export function list<T>(item: Schema<T>, max: number): Schema<T[]> {
  return {
    write: (values) => values.map((value) => item.write(value)),
    read: (value, path) => {
      if (!Array.isArray(value)) return refuse(path, 'is not a list')
      if (value.length > max) return refuse(path, `has ${value.length} items, more than ${max}`)
      return value.map((part, index) => item.read(part, `${path}[${index}]`))
    },
  }
}

/** A fixed sequence of different items. */
export function tuple<T extends readonly unknown[]>(...items: { [I in keyof T]: Schema<T[I]> }): Schema<T> {
  return {
    write: (values) => items.map((item, index) => item.write(values[index])),
    read: (value, path) => {
      if (!Array.isArray(value) || value.length !== items.length)
        return refuse(path, `is not a list of ${items.length}`)
      return items.map((item, index) => item.read(value[index]!, `${path}[${index}]`)) as unknown as T
    },
  }
}

/** One of some words, a number in the message: `choice({ member: 1, storage: 2 })`. */
export function choice<Word extends string>(numbers: Readonly<Record<Word, number>>): Schema<Word> {
  const words = new Map(Object.entries<number>(numbers).map(([word, number]) => [number, word as Word]))
  return {
    write: (word) => numbers[word],
    read: (value, path) =>
      (typeof value === 'number' ? words.get(value) : undefined) ??
      refuse(path, `is none of ${Object.keys(numbers).join(', ')}`),
  }
}

export interface Field<T> {
  readonly key: number
  readonly schema: Schema<T>
  readonly optional: boolean
}

/** A field under an integer key. */
export function field<T>(key: number, schema: Schema<T>): Field<T> & { optional: false } {
  return { key, schema, optional: false }
}

/** A field that is left out when undefined. */
export function optional<T>(key: number, schema: Schema<T>): Field<T> & { optional: true } {
  return { key, schema, optional: true }
}

interface AnyField {
  readonly key: number
  readonly schema: { write(value: never): CborValue; read(value: CborValue, path: string): unknown }
  readonly optional: boolean
}
type AnyFields = Record<string, AnyField>
type FieldType<F> = F extends { schema: Schema<infer T> } ? T : never
type OptionalNames<F> = { [Name in keyof F]: F[Name] extends { optional: true } ? Name : never }[keyof F]

/** The object that `fields` reads and writes. */
export type FieldsObject<F> = {
  -readonly [Name in Exclude<keyof F, OptionalNames<F>>]: FieldType<F[Name]>
} & {
  -readonly [Name in OptionalNames<F>]?: FieldType<F[Name]>
}

/** Named fields, a map with integer keys in the message. Unknown keys are refused unless `open`. */
export function fields<F extends AnyFields>(
  spec: F,
  options: { open?: boolean } = {},
): Schema<FieldsObject<F>> {
  const rows = Object.entries(spec) as unknown as [string, Field<unknown>][]
  const known = new Set(rows.map(([, row]) => row.key))
  return {
    write: (value) => writeFields(rows, value as Record<string, unknown>),
    read: (value, path) => {
      if (!(value instanceof Map)) return refuse(path, 'is not a map')
      const stray = options.open === true ? undefined : value.keys().find((key) => !known.has(key))
      if (stray !== undefined) return refuse(path, `has an unknown field ${stray}`)
      return readFields(rows, value, path) as FieldsObject<F>
    },
  }
}

function writeFields(rows: readonly [string, Field<unknown>][], value: Record<string, unknown>): CborMap {
  const map: CborMap = new Map()
  for (const [name, row] of rows) {
    const part = value[name]
    if (part !== undefined) map.set(row.key, row.schema.write(part))
    else if (!row.optional) throw fail('INTERNAL', { reason: `field ${name} has no value` })
  }
  return map
}

function readFields(rows: readonly [string, Field<unknown>][], map: CborMap, path: string): unknown {
  const object: Record<string, unknown> = {}
  for (const [name, row] of rows) {
    const place = path === '' ? name : `${path}.${name}`
    const part = map.get(row.key)
    if (part !== undefined) object[name] = row.schema.read(part, place)
    else if (!row.optional) refuse(place, 'is missing')
  }
  return object
}
