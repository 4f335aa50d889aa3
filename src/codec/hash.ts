/**
 * BLAKE3 in its three modes: `hash`, `keyed`, `derive`. The native package where it loads, else
 * blake3-jit with the same digests. The native package aborts the process on a wrong key and hashes
 * a detached buffer as if it were empty: both are refused here, before they reach it.
 */
import { createRequire } from 'node:module'
import type { Blake3Hasher } from '@napi-rs/blake-hash'
import { createDeriveKey, createHasher, createKeyed, type Hasher } from 'blake3-jit'
import { fail } from '../base/errors.ts'

/** One BLAKE3 state; `reset` keeps the key. `digest` gives lower-case hex. */
interface State {
  reset(): void
  update(bytes: Uint8Array): void
  digest(): string
}

/** One implementation of BLAKE3. Use the functions below instead; exported for the comparison test. */
export interface Blake3 {
  plain(): State
  keyed(key: Uint8Array): State
  derive(context: string, material: Uint8Array): Uint8Array
}

/** The native implementation, or undefined where its package does not load. */
export function nativeBlake3(): Blake3 | undefined {
  let Native: typeof Blake3Hasher
  try {
    const load = createRequire(import.meta.url)
    Native = (load('@napi-rs/blake-hash') as { Blake3Hasher: typeof Blake3Hasher }).Blake3Hasher
  } catch {
    return undefined
  }
  return {
    plain: () => new Native() as unknown as State,
    keyed: (key) => Native.newKeyed(key as Buffer) as unknown as State,
    derive: (context, material) => Native.deriveKey(context, material as Buffer),
  }
}

/** The implementation in JavaScript and WebAssembly. */
export const portableBlake3: Blake3 = {
  plain: () => portableState(createHasher()),
  keyed: (key) => portableState(createKeyed(key)),
  derive: (context, material) => createDeriveKey(context).update(material).finalize(),
}

function portableState(hasher: Hasher): State {
  return {
    reset: () => void hasher.reset(),
    update: (bytes) => void hasher.update(bytes),
    digest: () => Buffer.from(hasher.finalize()).toString('hex'),
  }
}

const blake3 = nativeBlake3() ?? portableBlake3
const plain = blake3.plain()

/** BLAKE3 of `parts` one after the other, 32 bytes. */
export function hash(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.from(hashHex(...parts), 'hex')
}

/** `hash` as lower-case hex: the text of ids. */
export function hashHex(...parts: readonly Uint8Array[]): string {
  return digest(plain, parts)
}

/** BLAKE3 keyed with 32 bytes. For many inputs under one key use `keyedHash`: it is ten times faster. */
export function keyed(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  return keyedHash(key)(...parts)
}

export type KeyedHash = (...parts: readonly Uint8Array[]) => Buffer

/** A function that computes BLAKE3 under one key. */
export function keyedHash(key: Uint8Array): KeyedHash {
  const state = blake3.keyed(key32(key))
  return (...parts) => Buffer.from(digest(state, parts), 'hex')
}

/** BLAKE3 key derivation: 32 bytes from `parts` one after the other, under a context string. */
export function derive(context: string, ...parts: readonly Uint8Array[]): Buffer {
  const material = parts.length === 1 ? attached(parts[0]!) : Buffer.concat(parts.map(attached))
  return Buffer.from(blake3.derive(context, material))
}

/** A hash over parts that come one by one. */
export class RunningHash {
  readonly #state = blake3.plain()

  add(part: Uint8Array): this {
    this.#state.update(attached(part))
    return this
  }

  digest(): Buffer {
    return Buffer.from(this.#state.digest(), 'hex')
  }
}

/** `key` itself when it has 32 bytes, else an error: a key of another length ends the process natively. */
export function key32(key: Uint8Array): Uint8Array {
  if (key.length !== 32) throw fail('INTERNAL', { reason: `a key has ${key.length} bytes instead of 32` })
  return key
}

function digest(state: State, parts: readonly Uint8Array[]): string {
  state.reset()
  for (const part of parts) state.update(attached(part))
  return state.digest()
}

function attached(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0 && (bytes.buffer as ArrayBuffer).detached)
    throw fail('INTERNAL', { reason: 'bytes were used after they were given away' })
  return bytes
}
