/** Schemas of what several resources take from outside. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import type { RecordHash } from '../base/words.ts'

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
