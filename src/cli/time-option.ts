/** Times as people type them, in the time of this terminal. */
import { fail } from '../base/errors.ts'

export function timeOf(text: string): string {
  const time = new Date(text)
  if (Number.isNaN(time.getTime()))
    throw fail('BAD_USAGE', { reason: `${text} is no time such as 2026-05-01T10:00` })
  return time.toISOString()
}
