/**
 * What the private keys of a home are sealed with: a passphrase, stretched by argon2id, or a file. Only
 * the key that it gives is ever kept, and in memory alone.
 */
import { z } from 'zod'
import { fail, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import { derive, hash } from '../codec/hash.ts'
import { stretch, stretchAgain } from '../codec/password.ts'

export type LockKind = 'passphrase' | 'key file'

/** What a person gives: words, or the content of a file. */
export type LockSecret = { passphrase: string } | { keyFile: Uint8Array }

const salt = z.base64url().min(22).max(43)

/** How the key follows from the secret, as it stands in the file of keys. */
export const lockForm = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('passphrase'),
    memory: z.int().min(8).max(limits.stretchMemory),
    passes: z.int().min(1).max(64),
    lanes: z.int().min(1).max(64),
    salt,
  }),
  z.strictObject({ kind: z.literal('key file'), salt }),
])
export type LockForm = z.output<typeof lockForm>

/** A lock that is open: new keys are sealed with it too. `key`: 32 bytes. */
export interface KeyLock {
  form: LockForm
  key: Uint8Array
}

export async function newLock(secret: LockSecret, random: Random): Promise<KeyLock> {
  checkSecret(secret)
  if ('passphrase' in secret) {
    const { how, key } = await stretch(secret.passphrase, random)
    return { form: { kind: 'passphrase', ...how }, key }
  }
  const text = random.bytes(32).toString('base64url')
  return { form: { kind: 'key file', salt: text }, key: keyOfFile(secret.keyFile, text) }
}

/** The key that a secret gives for this lock, right or not; `LOCK_WRONG` when it is of the other kind. */
export async function openLock(secret: LockSecret, form: LockForm): Promise<KeyLock> {
  if ('passphrase' in secret) {
    if (form.kind !== 'passphrase') throw wrongSecret(form)
    return { form, key: await stretchAgain(secret.passphrase, form) }
  }
  if (form.kind !== 'key file') throw wrongSecret(form)
  return { form, key: keyOfFile(secret.keyFile, form.salt) }
}

export function wrongSecret({ kind }: LockForm): PeerStorError {
  return fail('LOCK_WRONG', { kind })
}

function keyOfFile(content: Uint8Array, saltText: string): Buffer {
  return derive('peerstor/1 lock key file', hash(content), Buffer.from(saltText, 'base64url'))
}

function checkSecret(secret: LockSecret): void {
  if ('keyFile' in secret && secret.keyFile.length < limits.keyFileBytesMin)
    throw fail('BAD_INPUT', { what: 'the key file', reason: `it has under ${limits.keyFileBytesMin} bytes` })
  if ('passphrase' in secret && secret.passphrase.length < limits.passwordLettersMin)
    throw fail('BAD_INPUT', {
      what: 'the passphrase',
      reason: `it has under ${limits.passwordLettersMin} letters`,
    })
}
