/**
 * File contents and names that can be told apart from everything else: a content is a function of its
 * number, which it carries in front, so whoever reads any bytes knows what they must be. Contents and
 * names carry marks that may never leave a peer unsealed nor lie on a disk.
 */
import { SeededRandom } from './seeded-random.ts'

/** In every name. */
export const nameMark = 'offen'
/** In every content, again and again, and too seldom for compression to pay. */
export const contentMark = Buffer.from('unsealed content')
const markEvery = 768
const headBytes = contentMark.length + 8

/** Bytes of content `number`; `size` is at least that of its head. */
export function contentOf(number: number, size: number): Buffer {
  const random = new SeededRandom(number)
  const bytes = random.bytes(size)
  // Some contents compress well, as texts do; the mark then stands in the first literals.
  if (number % 3 === 0) bytes.fill('lorem ipsum dolor sit amet, ', headBytes + 64)
  for (let at = 0; at + contentMark.length <= size; at += markEvery) contentMark.copy(bytes, at)
  bytes.writeUInt32LE(number, contentMark.length)
  bytes.writeUInt32LE(size, contentMark.length + 4)
  return bytes
}

/** The number of the content that these bytes are whole; undefined when they are not. */
export function numberOf(bytes: Buffer): number | undefined {
  if (bytes.length < headBytes) return undefined
  const number = bytes.readUInt32LE(contentMark.length)
  const size = bytes.readUInt32LE(contentMark.length + 4)
  if (size !== bytes.length) return undefined
  return contentOf(number, size).equals(bytes) ? number : undefined
}

/** Sizes from one chunk to a manifest of several levels; most files are small. */
export function drawSize(random: SeededRandom): number {
  const kind = random.number()
  if (kind < 0.7) return random.between(headBytes, 4_000)
  if (kind < 0.95) return random.between(4_000, 20_000)
  return random.between(20_000, 140_000)
}

/** One of few paths, so that peers meet at them. */
export function drawPath(random: SeededRandom, paths: number): string {
  const number = random.below(paths)
  const folder = number % 3 === 0 ? '' : `${nameMark}-${number % 4}/`
  return `files/${folder}${nameMark} ${number}`
}

/** Bytes in pieces, as a socket gives them. */
export async function* inPieces(bytes: Buffer, random: SeededRandom): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const end = at + random.between(1, 16_384)
    yield Buffer.from(bytes.subarray(at, end))
    at = end
  }
}

/** What of the marks stands in `bytes`; undefined: nothing. */
export function markIn(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.includes(contentMark)) return 'content'
  return buffer.includes(nameMark) ? 'a name' : undefined
}
