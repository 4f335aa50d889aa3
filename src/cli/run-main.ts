/** The main thread: Ctrl+C, broken pipes, the exit code. */
import { realClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { asPeerStorError } from '../base/errors.ts'
import { errorText } from './output.ts'
import { exitInterrupted, runProgram } from './program.ts'

/** Of errors that no command caught. */
const exitUnexpected = 1

export async function runMain(argv: readonly string[]): Promise<void> {
  const interrupted = new AbortController()
  // The first Ctrl+C lets a command end in order; the second, or too long a time, ends it at once.
  const onSignal = (): void => {
    if (interrupted.signal.aborted) process.exit(exitInterrupted)
    interrupted.abort()
    realClock.after(limits.stopTimeoutMs - 500, () => process.exit(exitInterrupted))
  }
  // Nothing is known of the state that such an error leaves: end here, as after a power cut, which
  // loses nothing acknowledged. Unhandled rejections come here too.
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${errorText(asPeerStorError(error))}\n${error.stack ?? ''}\n`)
    process.exit(exitUnexpected)
  })
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  // `peerstor ls | head`: the reader has enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  // A log that leads to a full disk or to nobody: the peer runs on without it.
  process.stderr.on('error', () => undefined)
  const code = await runProgram(argv, interrupted.signal)
  process.exitCode = code
  // Idle connections and half-open files must not keep a finished command alive.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}
