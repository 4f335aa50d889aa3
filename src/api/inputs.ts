/** Schemas of what several resources take from outside. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import type { RecordHash } from '../base/words.ts'
import type { Expiry } from '../peer/peer.ts'
import { parseDuration } from '../peer/settings.ts'

export const recordHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a version id')
  .transform((text) => text as RecordHash)

export const flag = z
  .enum(['1', '0', 'true', 'false'])
  .transform((text) => text === '1' || text === 'true')
  .default(false)

/** A time in text, as wall milliseconds. */
export const time = z
  .string()
  .max(64)
  .transform((text) => Date.parse(text))
  .pipe(z.number('must be a time'))

/** When a file goes to the trash by itself: `7d` from now on, a time, or `never`. */
export const expiry = z
  .string()
  .max(64)
  .refine(
    (text) => expiryAt(text, 0) !== undefined,
    'must be 7d, a time such as 2026-12-01T00:00:00Z, or never',
  )

/** What `expiry` took, as the verbs want it. */
export function expiryAt(text: string, now: number): Expiry | undefined {
  if (text === 'never') return 'never'
  const after = parseDuration(text)
  if (after !== undefined) return after <= limits.policyMs ? now + after : undefined
  const at = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) || at < 0 ? undefined : at
}

export const pageQuery = {
  cursor: z
    .string()
    .max(2 * limits.pathBytes)
    .optional(),
  limit: z.coerce.number().int().min(1).max(limits.listEntries).optional(),
}

/** A folder's or device's name, an address, a code: one line of text. */
export const line = (bytes: number): z.ZodString =>
  z
    .string()
    .min(1)
    .max(bytes)
    .regex(/^[^\0\r\n]*$/, 'must be one line')

export const filePath = z.string().min(1).max(limits.pathBytes)
