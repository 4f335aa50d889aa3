/**
 * Sealing, suite 1: the one module that calls a cipher. Every rule and byte is in docs/FORMAT.md.
 *
 * The key of a sealed body is a keyed hash of what enters the cipher, so a zero nonce never meets
 * two bodies under one key, whatever compression gave. The commitment `c` binds a sealed chunk to
 * one key; the id binds its bytes. Opening a chunk takes its id and `ck`, nothing of the folder.
 */
import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto'
import { fail, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import { idBytes, type ChunkId, type FolderId, type EpochId } from '../base/words.ts'
import { newAgreementKey, type AgreementKey } from './agree.ts'
import type { CompressionLevel, FolderKeys, SealedBytes, VerifiedBytes } from './codec.ts'
import { compress, decompress } from './compress.ts'
import { epochIdOf, epochKdf, folderKeys, keyedHashes } from './folder-keys.ts'
import { free } from '../base/handover.ts'
import { derive, hashHex, key32, keyed } from './hash.ts'
import { paddedLength } from './padding.ts'
import { bodyBinding } from './record-bytes.ts'
import type { RecordHead } from './record.ts'

/** What a sealed body holds; the number stands in its header. */
export const sealTypes = { data: 0, manifest: 1, record: 2, listing: 3 } as const
export type SealType = keyof typeof sealTypes

/** Most plaintext bytes of each type. */
const plaintextMax: Readonly<Record<SealType, number>> = {
  data: limits.chunkMax * limits.hugeFactor,
  manifest: limits.manifestNode,
  record: limits.recordBody,
  listing: limits.manifestNode,
}

export interface ToSeal {
  type: Exclude<SealType, 'record'>
  /** 0 but for manifest nodes: 1 to 4. */
  level: number
  plaintext: Uint8Array
  /** The keyed hash of the plaintext under K_dedup, when already known. */
  p?: Uint8Array | undefined
}

export interface Sealed {
  id: ChunkId
  ck: Buffer
  p: Uint8Array
  sealed: SealedBytes
}

/** `p`: what is equal in a folder, whatever the epoch. */
export function contentHash(keys: FolderKeys, plaintext: Uint8Array): Buffer {
  return keyedHashes(keys).dedup(plaintext)
}

/** Seals a chunk; compresses it first where that pays. */
export function sealChunk(keys: FolderKeys, chunk: ToSeal, compression: CompressionLevel): Sealed {
  const { type, level, plaintext } = chunk
  const hashes = keyedHashes(keys)
  const packed = compress(plaintext, compression)
  const header = encodeHeader({ type, level, plaintext, packed })
  const p = chunk.p ?? hashes.dedup(plaintext)
  const q = packed === undefined ? p : hashes.dedup(packed)
  const ck = hashes.kdf(hashes.hash(header, q))
  const sealed = encrypt(ck, type, header, packed ?? plaintext)
  return { id: hashHex(sealed) as ChunkId, ck, p, sealed: sealed as Uint8Array as SealedBytes }
}

/** Compares the hash of `bytes` with `id`; `CHUNK_DAMAGED` naming `source`: another one is asked. */
export function verifyChunk(id: ChunkId, bytes: Uint8Array, source: string): VerifiedBytes {
  if (hashHex(bytes) !== id) throw fail('CHUNK_DAMAGED', { id, source })
  return bytes as VerifiedBytes
}

/** What the reader of a reference expects; `level` undefined: any of the type (the root a link names). */
export interface Expected {
  type: Exclude<SealType, 'record'>
  level: number | undefined
  /** Plaintext bytes; undefined: the type's limit. */
  length?: number | undefined
}

export interface OpenedChunk {
  level: number
  plaintext: Buffer
}

/** Opens a verified chunk. `CHUNK_INVALID` is its writer's fault: no other source has better bytes. */
export function openChunk(
  id: ChunkId,
  ck: Uint8Array,
  bytes: VerifiedBytes,
  expected: Expected,
): OpenedChunk {
  return orFail(
    (reason, cause) => fail('CHUNK_INVALID', { id, reason }, cause),
    () => {
      const body = decrypt(ck, expected.type, bytes)
      const header = readHeader(body, expected)
      return { level: header.level, plaintext: unpack(header) }
    },
  )
}

/**
 * Seals a record's body under the folder's keys, bound to its head: `h ‖ sealed`, whose hash the
 * head then names (`makeRecord`). `head` has no body hash yet.
 */
export function sealRecordBody(keys: FolderKeys, head: RecordHead, plaintext: Uint8Array): Buffer {
  const hashes = keyedHashes(keys)
  const header = encodeHeader({ type: 'record', level: 0, plaintext, packed: undefined })
  const h = hashes.hash(header, bodyBinding(head), hashes.dedup(plaintext))
  const body = encrypt(hashes.kdf(h), 'record', header, plaintext, h.length)
  body.set(h)
  return body
}

/** Opens a record's body and checks that it belongs to this head; `RECORD_INVALID` otherwise. */
export function openRecordBody(keys: FolderKeys, head: RecordHead, body: Uint8Array): Buffer {
  return orRefuse(head, () => {
    const header = openBody(keyedHashes(keys).kdf(bindingOf(body)), body)
    checkBinding(keys, head, body, header)
    return unpack(header)
  })
}

/**
 * Opens the body of an epoch's own record, which holds the folder secret that checks it:
 * `secretIn` reads it from the plaintext. Gives the folder's keys in that epoch.
 */
export function openEpochBody(
  folder: FolderId,
  epochKey: Uint8Array,
  head: RecordHead,
  body: Uint8Array,
  secretIn: (plaintext: Buffer) => Uint8Array,
): { plaintext: Buffer; keys: FolderKeys } {
  return orRefuse(head, () => {
    const header = openBody(keyed(epochKdf(folder, epochKey), bindingOf(body)), body)
    const plaintext = unpack(header)
    const keys = folderKeys(folder, secretIn(plaintext), epochKey)
    checkBinding(keys, head, body, header)
    return { plaintext, keys }
  })
}

/** Bytes of a wrapped key: ephemeral public key, sealed key, tag. */
export const wrapBytes = 32 + 32 + 16

/** Wraps an epoch key to one recipient's encryption key. */
export function wrapEpochKey(
  random: Random,
  recipient: Uint8Array,
  folder: FolderId,
  epochKey: Uint8Array,
): Buffer {
  const ephemeral = newAgreementKey(random)
  const shared = ephemeral.shared(recipient)
  const key = wrapKey(shared, ephemeral.publicKey, recipient, folder, epochIdOf(folder, epochKey))
  const cipher = createCipheriv(algorithm, key, zeroNonce, { authTagLength: tagBytes })
  return Buffer.concat([ephemeral.publicKey, cipher.update(epochKey), cipher.final(), cipher.getAuthTag()])
}

/** The epoch key in a wrap; `BAD_INPUT` when it is not for this key, or gives another epoch's id. */
export function unwrapEpochKey(
  recipient: AgreementKey,
  folder: FolderId,
  epoch: EpochId,
  wrap: Uint8Array,
): Buffer {
  const refused = (reason: string, cause?: unknown): PeerStorError =>
    fail('BAD_INPUT', { what: 'a wrapped folder key', reason }, cause)
  if (wrap.length !== wrapBytes) throw refused(`it has ${wrap.length} bytes instead of ${wrapBytes}`)
  const ephemeral = wrap.subarray(0, 32)
  const key = wrapKey(recipient.shared(ephemeral), ephemeral, recipient.publicKey, folder, epoch)
  const epochKey = orFail(refused, () => decryptBytes(key, Buffer.alloc(0), wrap.subarray(32)))
  if (epochIdOf(folder, epochKey) !== epoch) throw refused('its key is of another epoch')
  return epochKey
}

function wrapKey(
  shared: Uint8Array,
  ephemeral: Uint8Array,
  recipient: Uint8Array,
  folder: FolderId,
  epoch: EpochId,
): Buffer {
  return derive('peerstor/1 wrap', shared, ephemeral, key32(recipient), idBytes(folder), idBytes(epoch))
}

const saltBytes = 32

/**
 * Seals a home's private keys: `salt ‖ c ‖ AES-256-GCM ‖ tag`. The salt is new each time, so no key of
 * the cipher is used twice; `bound` is what the bytes belong to.
 */
export function sealHomeKeys(
  random: Random,
  key: Uint8Array,
  bound: Uint8Array,
  plaintext: Uint8Array,
): Buffer {
  const salt = random.bytes(saltBytes)
  const cipher = createCipheriv(algorithm, homeKey(key, salt), zeroNonce, { authTagLength: tagBytes })
  cipher.setAAD(homeData(bound))
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return Buffer.concat([salt, homeCommitment(key, salt), sealed, cipher.getAuthTag()])
}

/** Undefined when `key` is another one; `BAD_INPUT` when the bytes are damaged. */
export function openHomeKeys(key: Uint8Array, bound: Uint8Array, sealed: Uint8Array): Buffer | undefined {
  const refused = (reason: string, cause?: unknown): PeerStorError =>
    fail('BAD_INPUT', { what: 'the file of sealed keys', reason }, cause)
  if (sealed.length < saltBytes + commitmentBytes + tagBytes) throw refused('it is too short')
  const salt = sealed.subarray(0, saltBytes)
  const named = sealed.subarray(saltBytes, saltBytes + commitmentBytes)
  if (!timingSafeEqual(homeCommitment(key, salt), named)) return undefined
  const rest = sealed.subarray(saltBytes + commitmentBytes)
  return orFail(refused, () => decryptBytes(homeKey(key, salt), homeData(bound), rest))
}

const homeKey = (key: Uint8Array, salt: Uint8Array): Buffer => derive('peerstor/1 lock key', key32(key), salt)
const homeCommitment = (key: Uint8Array, salt: Uint8Array): Buffer =>
  derive('peerstor/1 lock commit', key32(key), salt)
const homeData = (bound: Uint8Array): Buffer => Buffer.concat([Buffer.from('peerstor/1 lock'), bound])

// The header and the body.

const suite = 1
const headerBytes = 16
const commitmentBytes = 32
const tagBytes = 16
const compressions = { none: 0, zstd: 1 } as const

interface Header {
  level: number
  compressed: boolean
  data: Buffer
  plaintextLength: number
  /** As it stands in the body. */
  bytes: Buffer
}

function encodeHeader(content: {
  type: SealType
  level: number
  plaintext: Uint8Array
  packed: Uint8Array | undefined
}): Buffer {
  const { type, level, plaintext, packed } = content
  if (plaintext.length > plaintextMax[type])
    throw fail('INTERNAL', { reason: `${plaintext.length} bytes are too many for one sealed ${type}` })
  const header = Buffer.alloc(headerBytes)
  header[0] = suite
  header[1] = sealTypes[type]
  header[2] = packed === undefined ? compressions.none : compressions.zstd
  header[3] = level
  header.writeUInt32LE((packed ?? plaintext).length, 4)
  header.writeUInt32LE(plaintext.length, 8)
  return header
}

/** Checks a decrypted body against what its reader expects, padding included. */
function readHeader(
  body: Buffer,
  expected: { type: SealType; level: number | undefined; length?: number | undefined },
): Header {
  const dataLength = body.readUInt32LE(4)
  const plaintextLength = body.readUInt32LE(8)
  const level = body[3]!
  const compression = body[2]!
  check(body[0] === suite, 'its suite is unknown')
  check(body[1] === sealTypes[expected.type], `it is no ${expected.type}`)
  check(compression === compressions.none || compression === compressions.zstd, 'its compression is unknown')
  check(isLevel(level, expected), `its level is ${level}`)
  check(body.readUInt32LE(12) === 0, 'its header has reserved bytes')
  check(plaintextLength <= plaintextMax[expected.type], `it claims ${plaintextLength} bytes`)
  check(expected.length === undefined || plaintextLength === expected.length, 'its length is another')
  const compressed = compression === compressions.zstd
  check(compressed ? dataLength < plaintextLength : dataLength === plaintextLength, 'its lengths disagree')
  const end = headerBytes + dataLength
  check(body.length === paddedLength(end), 'its padding has another length')
  check(isZero(body.subarray(end)), 'its padding is not zero')
  return {
    level,
    compressed,
    plaintextLength,
    data: body.subarray(headerBytes, end),
    bytes: body.subarray(0, headerBytes),
  }
}

function isLevel(level: number, expected: { type: SealType; level: number | undefined }): boolean {
  if (expected.type !== 'manifest') return level === 0
  return level >= 1 && level <= limits.manifestLevels && level === (expected.level ?? level)
}

function unpack(header: Header): Buffer {
  if (!header.compressed) return header.data
  try {
    return decompress(header.data, header.plaintextLength)
  } catch (thrown) {
    throw new Invalid('it does not decompress to the length it claims', { cause: thrown })
  }
}

// Record bodies.

function bindingOf(body: Uint8Array): Uint8Array {
  check(body.length >= 32 + limits.sealedMin, 'its body is too short')
  return body.subarray(0, 32)
}

function openBody(ck: Uint8Array, body: Uint8Array): Header {
  return readHeader(decrypt(ck, 'record', body.subarray(32)), { type: 'record', level: 0 })
}

/** Computes `h` again: a body that was sealed for another head has another one. */
function checkBinding(keys: FolderKeys, head: RecordHead, body: Uint8Array, header: Header): void {
  const hashes = keyedHashes(keys)
  const h = hashes.hash(header.bytes, bodyBinding(head), hashes.dedup(header.data))
  check(timingSafeEqual(h, body.subarray(0, 32)), 'its body was sealed for another head')
}

// The cipher.

const algorithm = 'aes-256-gcm'
const zeroNonce = Buffer.alloc(12)
/** The cipher hands out fresh buffers; at this size they are reused by the allocator. Tried: 64 KiB is best. */
const cipherStep = 64 * 1024

function additionalData(type: SealType): Buffer {
  return Buffer.concat([Buffer.from('peerstor/1'), Buffer.from([sealTypes[type]])])
}

/** `c ‖ ciphertext ‖ tag` behind `room` bytes left for the caller, in a buffer of its own. */
function encrypt(ck: Uint8Array, type: SealType, header: Buffer, data: Uint8Array, room = 0): Buffer {
  const bodyLength = paddedLength(header.length + data.length)
  const sealed = Buffer.allocUnsafeSlow(room + commitmentBytes + bodyLength + tagBytes)
  const cipher = createCipheriv(algorithm, chunkKey(ck), zeroNonce, { authTagLength: tagBytes })
  cipher.setAAD(additionalData(type))
  sealed.set(commitment(ck), room)
  let at = room + commitmentBytes
  const add = (part: Uint8Array): void => {
    const encrypted = cipher.update(part)
    sealed.set(encrypted, at)
    at += part.length
    free(encrypted)
  }
  add(header)
  for (let from = 0; from < data.length; from += cipherStep) add(data.subarray(from, from + cipherStep))
  add(Buffer.alloc(bodyLength - header.length - data.length))
  cipher.final()
  sealed.set(cipher.getAuthTag(), at)
  return sealed
}

function decrypt(ck: Uint8Array, type: SealType, sealed: Uint8Array): Buffer {
  check(sealed.length >= limits.sealedMin && sealed.length <= limits.sealedMax, 'its size is impossible')
  check(timingSafeEqual(commitment(key32(ck)), sealed.subarray(0, commitmentBytes)), 'its key is another')
  return decryptBytes(chunkKey(ck), additionalData(type), sealed.subarray(commitmentBytes))
}

function decryptBytes(key: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer {
  const end = sealed.length - tagBytes
  const decipher = createDecipheriv(algorithm, key, zeroNonce, { authTagLength: tagBytes })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(end))
  const plain = decipher.update(sealed.subarray(0, end))
  try {
    decipher.final()
  } catch (thrown) {
    throw new Invalid('its tag is wrong', { cause: thrown })
  }
  return plain
}

function chunkKey(ck: Uint8Array): Buffer {
  return derive('peerstor/1 suite 1 key', key32(ck))
}

function commitment(ck: Uint8Array): Buffer {
  return derive('peerstor/1 suite 1 commit', key32(ck))
}

// Refusals.

/** Sealed bytes that their writer made wrongly. */
class Invalid extends Error {}

function check(holds: boolean, reason: string): asserts holds {
  if (!holds) throw new Invalid(reason)
}

function orFail<T>(failure: (reason: string, cause: unknown) => PeerStorError, run: () => T): T {
  try {
    return run()
  } catch (thrown) {
    throw thrown instanceof Invalid ? failure(thrown.message, thrown) : thrown
  }
}

function orRefuse<T>(head: RecordHead, run: () => T): T {
  return orFail((reason, cause) => fail('RECORD_INVALID', { device: head.device, reason }, cause), run)
}

const zeros = Buffer.alloc(limits.sealedMax >> 5)

function isZero(bytes: Uint8Array): boolean {
  for (let from = 0; from < bytes.length; from += zeros.length) {
    const part = bytes.subarray(from, from + zeros.length)
    if (zeros.compare(part, 0, part.length, 0, part.length) !== 0) return false
  }
  return true
}
