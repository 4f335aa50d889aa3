/** Passwords that people choose, as bytes that tell nothing of them: argon2id (RFC 9106) of this runtime. */
import * as crypto from 'node:crypto'
import { timingSafeEqual } from 'node:crypto'
import { fail } from '../base/errors.ts'
import type { Random } from '../base/random.ts'

/** All that a password is checked against. Bytes in base64url. */
export interface PasswordHash {
  /** KiB, turns over it, lanes: those it was made with, so that later ones can be dearer. */
  memory: number
  passes: number
  lanes: number
  salt: string
  hash: string
}

/** The second recommendation of RFC 9106: 64 MiB, 3 passes, 4 lanes; 0.36 s of CPU. */
const cost = { memory: 64 * 1024, passes: 3, lanes: 4 }
const bytes = { salt: 16, hash: 32 }

export async function hashPassword(password: string, random: Random): Promise<PasswordHash> {
  const salt = random.bytes(bytes.salt)
  const hash = await argon2id(password, salt, cost)
  return { ...cost, salt: salt.toString('base64url'), hash: hash.toString('base64url') }
}

export async function isPassword(password: string, known: PasswordHash): Promise<boolean> {
  const found = await argon2id(password, Buffer.from(known.salt, 'base64url'), known)
  return timingSafeEqual(found, Buffer.from(known.hash, 'base64url'))
}

/** How a passphrase became a key: all but the passphrase. Salt in base64url. */
export type Stretching = Omit<PasswordHash, 'hash'>

/** A key of 32 bytes from a passphrase, and how it was made. */
export async function stretch(passphrase: string, random: Random): Promise<{ how: Stretching; key: Buffer }> {
  const salt = random.bytes(bytes.salt)
  const key = await argon2id(passphrase, salt, cost)
  return { how: { ...cost, salt: salt.toString('base64url') }, key }
}

/** The same key from the same passphrase. */
export async function stretchAgain(passphrase: string, how: Stretching): Promise<Buffer> {
  return argon2id(passphrase, Buffer.from(how.salt, 'base64url'), how)
}

/** On a thread of the runtime's pool; one form of a text that keyboards write in several. */
function argon2id(
  password: string,
  nonce: Buffer,
  { memory, passes, lanes }: Pick<PasswordHash, 'memory' | 'passes' | 'lanes'>,
): Promise<Buffer> {
  // Named through the module: a runtime before 24.7 lacks it and can still run everything else.
  const { argon2 } = crypto
  if (argon2 === undefined)
    throw fail('NOT_HERE', { what: 'a password', reason: 'this Node has no argon2; 24.7 has' })
  const parameters = { nonce, memory, passes, parallelism: lanes, tagLength: bytes.hash }
  const message = Buffer.from(password.normalize('NFC'))
  return new Promise((resolve, reject) =>
    argon2('argon2id', { message, ...parameters }, (error, hash) =>
      error === null || error === undefined ? resolve(hash) : reject(error),
    ),
  )
}
