/** A code that is given as an argument, or on standard input, where no list of processes shows it. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** `text` itself; `-` reads standard input. */
export async function codeArgument(text: string): Promise<string> {
  if (text !== '-') return text
  let read = ''
  for await (const piece of process.stdin.setEncoding('utf8')) {
    read += piece as string
    if (read.length > limits.inviteText)
      throw fail('TOO_LARGE', { what: 'the code', limit: limits.inviteText })
  }
  return read.trim()
}
