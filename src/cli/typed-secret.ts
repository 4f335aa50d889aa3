/** Passwords and passphrases from the terminal, which shows nothing of them, or a line each from standard input. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** A new one: typed twice. */
export async function newSecret(what: string, signal: AbortSignal): Promise<string> {
  if (!process.stdin.isTTY) return lineOfInput(what)
  const first = await typed(`New ${what}: `, signal)
  if ((await typed('Again: ', signal)) === first) return first
  throw fail('BAD_USAGE', { reason: `the two ${what}s differ` })
}

export async function knownSecret(what: string, signal: AbortSignal): Promise<string> {
  const question = `${what[0]!.toUpperCase()}${what.slice(1)}: `
  return process.stdin.isTTY ? typed(question, signal) : lineOfInput(what)
}

let input: Promise<string[]> | undefined

/** The next line of standard input, which is read whole when the first is asked for. */
async function lineOfInput(what: string): Promise<string> {
  input ??= linesOfInput(what)
  return (await input).shift() ?? ''
}

async function linesOfInput(what: string): Promise<string[]> {
  let read = ''
  for await (const piece of process.stdin.setEncoding('utf8')) {
    read += piece as string
    if (read.length > 2 * limits.passwordBytes)
      throw fail('TOO_LARGE', { what: `the ${what}`, limit: limits.passwordBytes })
  }
  return read.split(/\r?\n/)
}

/** One line from the terminal, which shows nothing of it. */
async function typed(question: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(question)
  stdin.setRawMode(true).setEncoding('utf8').resume()
  let text = ''
  try {
    while (true) {
      const { promise, resolve } = Promise.withResolvers<string>()
      stdin.once('data', (piece) => resolve(String(piece)))
      const cancel = (): void => resolve('\u0003')
      signal.addEventListener('abort', cancel, { once: true })
      for (const letter of await promise) {
        if (letter === '\r' || letter === '\n' || letter === '\u0004') return text
        if (letter === '\u0003') throw fail('INTERRUPTED', { what: 'the command' })
        if (letter === '\u007f' || letter === '\b') text = text.slice(0, -1)
        else text += letter
      }
    }
  } finally {
    stdin.setRawMode(false).pause()
    stderr.write('\n')
  }
}
