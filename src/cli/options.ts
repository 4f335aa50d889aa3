/** Parsers and examples that several commands share. */
import { InvalidArgumentError } from 'commander'

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** As `expiry` of the API takes it; `none` where something can be taken back. */
export function expiryText(text: string): string {
  if (/^(\d+(\.\d+)? ?(s|m|h|d)|never|none|\d{4}-\S+)$/.test(text)) return text
  throw new InvalidArgumentError('It must be such as 7d, 2026-12-01 or never.')
}

/** The examples at the end of a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  peerstor ${line}`).join('\n')}`
}
