/**
 * Tells people who are not looking: what `doctor` finds and what stays so for a while is an alert, once;
 * when it is over, an all-clear follows. Alerts are events, and go to the webhook and the command of the
 * settings. What could not be delivered waits here, over restarts too, and is tried again; nothing else
 * waits for it. Who gets an alert twice (the peer ended before it knew that it was taken) knows it by its id.
 */
import { timeText, type Clock } from '../base/clock.ts'
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { OwnState } from '../store/store.ts'
import type { Alert, Problem } from './peer.ts'

/** Where alerts go, besides events. */
export type Outlet = 'webhook' | 'command'
export type Deliver = (alert: Alert, signal: AbortSignal) => Promise<void>

export interface AlertsParts {
  own: OwnState
  clock: Clock
  random: Random
  log: Log
  device: () => Alert['device']
  problems: () => Promise<readonly Problem[]>
  /** Those that the settings name now. */
  outlets: () => ReadonlyMap<Outlet, Deliver>
  publish: (alert: Alert) => void
  /** Something waits to be delivered. */
  wake: () => void
}

/** All that outlives the process, in one row: an alert is queued wherever it was noted, or nowhere. */
interface Kept {
  /** Told of and not over yet, by kind and subject. */
  standing: Record<string, Problem>
  /** The last ones, oldest first. */
  recent: Alert[]
  waiting: Partial<Record<Outlet, Alert[]>>
}

interface Attempts {
  failures: number
  /** Monotonic. */
  nextAt: number
  trouble?: string
}

const row = ['alert', 'kept'] as const
const lookEveryMs = 30_000
/** Where there are very many files, a look counts for long: it comes the more seldom. */
const restFactor = 100
const lookSeldomMs = 10 * 60_000
const retryFirstMs = 5_000

export class Alerts implements Worker {
  readonly name = 'alerts'
  readonly #parts: AlertsParts
  #kept: Kept | undefined
  /** Since when each problem is there that was not told of, and is gone that was; monotonic. */
  readonly #since = new Map<string, number>()
  /** When something that happens and is over was last told of; monotonic. */
  readonly #noticedAt = new Map<string, number>()
  readonly #attempts = new Map<Outlet, Attempts>()
  #changing: Promise<void> = Promise.resolve()
  #lookAt: number
  #hurried = false

  constructor(parts: AlertsParts) {
    this.#parts = parts
    // Right after the start other devices are still being found.
    this.#lookAt = parts.clock.monotonicMs() + limits.alertSettleMs
  }

  /** The last ones, newest first. */
  recent(): Alert[] {
    return this.#state().recent.toReversed()
  }

  /** Something happened and is over: told of, the same thing at most once an hour. */
  async notice(problem: Problem): Promise<void> {
    const now = this.#parts.clock.monotonicMs()
    const key = keyOf(problem)
    if (now - (this.#noticedAt.get(key) ?? Number.NEGATIVE_INFINITY) < limits.alertAgainMs) return
    if (this.#noticedAt.size >= limits.alertsKept) this.#noticedAt.clear()
    this.#noticedAt.set(key, now)
    await this.#tell([this.#alert('noticed', problem)])
  }

  /** Sends an alert to each outlet at once; resolves to what went wrong, by outlet. */
  async test(signal: AbortSignal): Promise<{ outlet: Outlet; problem?: string }[]> {
    const what = 'this is a test: alerts of this device reach you'
    const alert = this.#alert('noticed', { kind: 'test', what, severity: 'hint', next: 'peerstor doctor' })
    const sent = [...this.#parts.outlets()].map(([outlet, deliver]) =>
      deliver(alert, signal).then(
        () => ({ outlet }),
        (thrown: unknown) => ({ outlet, problem: asPeerStorError(thrown).message }),
      ),
    )
    return Promise.all(sent)
  }

  async work(signal: AbortSignal): Promise<WorkResult> {
    const { clock } = this.#parts
    if (clock.monotonicMs() >= this.#lookAt) await this.#look()
    await Promise.all([...this.#parts.outlets()].map((outlet) => this.#deliverNext(...outlet, signal)))
    const dueAt = Math.min(this.#lookAt, ...this.#queues().map((outlet) => this.#triesOf(outlet).nextAt))
    return { waitMs: Math.max(1, dueAt - clock.monotonicMs()) }
  }

  /** Looks now, and tells of what is there without waiting whether it stays. */
  hurry(): void {
    this.#lookAt = 0
    this.#hurried = true
    for (const attempts of this.#attempts.values()) attempts.nextAt = 0
  }

  status(): string {
    const { standing, waiting } = this.#state()
    const count = Object.keys(standing).length
    const told = count === 0 ? 'nothing is wrong' : `${count} told of and not over`
    const queues = this.#queues().map((outlet) => {
      const { trouble } = this.#triesOf(outlet)
      return `${waiting[outlet]?.length ?? 0} wait for the ${outlet}${trouble === undefined ? '' : ` (${trouble})`}`
    })
    return [told, ...queues].join('; ')
  }

  async #look(): Promise<void> {
    const { clock, problems } = this.#parts
    const beganAt = clock.monotonicMs()
    const hurried = this.#hurried
    this.#hurried = false
    this.#lookAt = beganAt + lookEveryMs
    const all = await problems()
    const now = clock.monotonicMs()
    // Who asks for a round meanwhile gets another one.
    if (!this.#hurried)
      this.#lookAt = now + Math.min(lookSeldomMs, Math.max(lookEveryMs, restFactor * (now - beganAt)))
    const found = new Map(
      all.filter(({ severity }) => severity !== 'hint').map((problem) => [keyOf(problem), problem]),
    )
    const { standing } = this.#state()
    const raised = [...found].filter(([key]) => !(key in standing))
    const over = Object.entries(standing).filter(([key]) => !found.has(key))
    this.#forgetOthers([...raised, ...over].map(([key]) => key))
    const news = raised.filter(([key, { severity }]) => this.#isFor(key, hurried ? 0 : waitsMs[severity]))
    const ended = over.filter(([key]) => this.#isFor(key, hurried ? 0 : limits.alertClearMs))
    if (news.length + ended.length === 0) return
    const ends = new Set(ended.map(([key]) => key))
    const stay = Object.entries(standing).filter(([key]) => !ends.has(key))
    const alerts = [
      ...news.map(([, problem]) => this.#alert('raised', problem)),
      ...ended.map(([, problem]) => this.#alert('cleared', problem)),
    ]
    await this.#tell(alerts, Object.fromEntries([...stay, ...news]))
  }

  /** Whether it has been so for `ms`. */
  #isFor(key: string, ms: number): boolean {
    const now = this.#parts.clock.monotonicMs()
    const since = this.#since.get(key) ?? now
    this.#since.set(key, since)
    if (now - since < ms) return false
    this.#since.delete(key)
    return true
  }

  #forgetOthers(keys: readonly string[]): void {
    const wanted = new Set(keys)
    for (const key of this.#since.keys()) if (!wanted.has(key)) this.#since.delete(key)
  }

  /** Durable before anybody is told. */
  async #tell(alerts: readonly Alert[], standing?: Kept['standing']): Promise<void> {
    const { outlets, log, publish, wake } = this.#parts
    await this.#change((kept) => ({
      standing: standing ?? kept.standing,
      recent: [...kept.recent, ...alerts].slice(-limits.alertsKept),
      waiting: Object.fromEntries(
        [...outlets().keys()].map((outlet) => [outlet, this.#queued(outlet, kept.waiting[outlet], alerts)]),
      ),
    }))
    for (const alert of alerts) {
      log.warn('alert', { state: alert.state, kind: alert.kind, what: alert.what })
      publish(alert)
    }
    wake()
  }

  /** The oldest fall when too many wait. */
  #queued(outlet: Outlet, waiting: readonly Alert[] = [], alerts: readonly Alert[]): Alert[] {
    const queue = [...waiting, ...alerts]
    const dropped = Math.max(0, queue.length - limits.alertsKept)
    if (dropped > 0) this.#parts.log.warn('the oldest alerts were given up', { outlet, dropped })
    return queue.slice(dropped)
  }

  async #deliverNext(outlet: Outlet, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts
    const attempts = this.#triesOf(outlet)
    const [alert] = this.#state().waiting[outlet] ?? []
    if (alert === undefined || clock.monotonicMs() < attempts.nextAt) return
    try {
      await deliver(alert, signal)
      this.#attempts.set(outlet, { failures: 0, nextAt: 0 })
      await this.#keep(outlet, ({ id }) => id !== alert.id)
    } catch (thrown) {
      signal.throwIfAborted()
      const trouble = asPeerStorError(thrown).message
      const waitMs = Math.min(limits.alertRetryMs, retryFirstMs * 2 ** attempts.failures)
      const nextAt = clock.monotonicMs() + waitMs * (0.75 + this.#parts.random.number() / 2)
      this.#attempts.set(outlet, { failures: attempts.failures + 1, nextAt, trouble })
      log.warn('an alert could not be delivered', { outlet, reason: trouble, attempt: attempts.failures + 1 })
      await this.#keep(outlet, ({ time }) => clock.now() - Date.parse(time) <= limits.alertLifeMs)
    }
  }

  /** What goes on waiting. */
  async #keep(outlet: Outlet, waits: (alert: Alert) => boolean): Promise<void> {
    if (this.#state().waiting[outlet]?.every(waits) === true) return
    await this.#change((kept) => {
      const left = kept.waiting[outlet]?.filter(waits) ?? []
      return { ...kept, waiting: { ...kept.waiting, [outlet]: left } }
    })
  }

  /** Outlets of the settings for which something waits. */
  #queues(): Outlet[] {
    const { waiting } = this.#state()
    return [...this.#parts.outlets().keys()].filter((outlet) => (waiting[outlet]?.length ?? 0) > 0)
  }

  #triesOf(outlet: Outlet): Attempts {
    return this.#attempts.get(outlet) ?? { failures: 0, nextAt: 0 }
  }

  #alert(state: Alert['state'], { kind, subject, what, severity, next }: Problem): Alert {
    const { clock, random, device } = this.#parts
    return {
      id: random.bytes(16).toString('hex'),
      time: timeText(clock.now()),
      state,
      device: device(),
      kind,
      ...(subject === undefined ? {} : { subject }),
      what,
      severity,
      next,
    }
  }

  #state(): Kept {
    this.#kept ??= this.#parts.own.get<Kept>(...row) ?? { standing: {}, recent: [], waiting: {} }
    return this.#kept
  }

  /** One change after the other: on the disk first, then in force. */
  #change(edit: (kept: Kept) => Kept): Promise<void> {
    const changed = this.#changing.then(() => this.#save(edit(this.#state())))
    this.#changing = changed.catch(() => undefined)
    return changed
  }

  async #save(kept: Kept): Promise<void> {
    await this.#parts.own.put(...row, kept)
    this.#kept = kept
  }
}

/** How long a problem must last before it is told of: uploads are short of copies for a while, each time. */
const waitsMs: Record<Problem['severity'], number> = {
  error: limits.alertErrorMs,
  warning: limits.alertWarningMs,
  hint: Number.POSITIVE_INFINITY,
}

function keyOf({ kind, subject = '' }: Problem): string {
  return `${kind} ${subject}`
}
