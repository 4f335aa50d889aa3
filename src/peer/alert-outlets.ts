/**
 * How an alert leaves this device: as JSON in a POST, and as JSON on the standard input of a command.
 * Neither may hang; nothing of an alert stands in the arguments of a process, where all users could read it.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Alert } from './peer.ts'

/** POSTs to `url`; fails unless the answer is 2xx. Redirections are not followed. */
export async function postAlert(url: string, alert: Alert, signal: AbortSignal, clock: Clock): Promise<void> {
  await within(clock, limits.alertWebhookMs, 'the webhook', signal, async (ending) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alert),
      redirect: 'manual',
      signal: ending,
    }).catch((thrown: unknown) => {
      throw refused(`the webhook cannot be reached: ${causeOf(thrown)}`)
    })
    await answer.body?.cancel()
    if (!answer.ok) throw refused(`the webhook answers ${answer.status}`)
  })
}

/** Runs a command line, without a shell; fails unless it ends with 0. */
export async function runAlertCommand(
  line: string,
  alert: Alert,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const [program = '', ...args] = wordsOf(line)
  await within(clock, limits.alertCommandMs, 'the alert command', signal, async (ending) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: environmentOf(alert),
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    ending.addEventListener('abort', () => endGroup(child), { once: true })
    // A command that reads nothing is none the worse for it.
    child.stdin.on('error', () => undefined)
    child.stdin.end(`${JSON.stringify(alert)}\n`)
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', (error) => reject(refused(`the alert command cannot be run: ${error.message}`)))
      child.once('exit', resolve)
    })
    if (code !== 0 && !ending.aborted) throw refused(`the alert command ends with ${code ?? 'a signal'}`)
  })
}

/** A command line as words: apart by spaces, `"…"` keeps them together. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|[^\s"]+/g)].map(([word, quoted]) => quoted ?? word)
}

/** The peer's own environment without its settings, among which there may be codes. */
function environmentOf({ state, kind, severity }: Alert): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.toUpperCase().startsWith('PEERSTOR_'))
  return {
    ...Object.fromEntries(own),
    PEERSTOR_ALERT_STATE: state,
    PEERSTOR_ALERT_KIND: kind,
    PEERSTOR_ALERT_SEVERITY: severity,
  }
}

/** With whatever it has started. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    if (process.platform === 'win32') child.kill()
    else process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}

async function within(
  clock: Clock,
  timeoutMs: number,
  what: string,
  signal: AbortSignal,
  run: (ending: AbortSignal) => Promise<void>,
): Promise<void> {
  const late = new AbortController()
  const cancel = clock.after(timeoutMs, () => late.abort())
  try {
    await run(AbortSignal.any([signal, late.signal]))
  } catch (thrown) {
    signal.throwIfAborted()
    if (!late.signal.aborted) throw thrown
  } finally {
    cancel()
  }
  signal.throwIfAborted()
  if (late.signal.aborted) throw fail('TIMED_OUT', { what, timeoutMs })
}

function refused(reason: string): Error {
  return fail('ALERT_REFUSED', { reason })
}

/** The address of a webhook may hold a secret: it is told nowhere. */
function causeOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? (thrown.cause as { code?: unknown } | undefined) : undefined
  return typeof cause?.code === 'string' ? cause.code : 'no connection'
}
