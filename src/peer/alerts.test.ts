import assert from 'node:assert/strict'
import test from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { limits } from '../base/limits.ts'
import { silentLog } from '../base/log.ts'
import { systemRandom } from '../base/random.ts'
import type { OwnKind, OwnState } from '../store/store.ts'
import { Alerts, type Deliver, type Outlet } from './alerts.ts'
import type { Alert, Problem } from './peer.ts'

const never = new AbortController().signal
const damage: Problem = {
  kind: 'damage',
  what: '1 chunk is damaged',
  severity: 'error',
  next: 'peerstor scrub',
}
const short: Problem = { kind: 'degraded', what: '3 files', severity: 'warning', next: 'peerstor status' }
const away: Problem = {
  kind: 'away',
  subject: 'nas',
  what: 'nas is away',
  severity: 'warning',
  next: 'peerstor device revoke nas',
}

/** Rows in memory, as text, so that nothing is shared with who wrote them. */
class Rows implements OwnState {
  readonly #rows = new Map<string, string>()
  get<T>(kind: OwnKind, id: string): T | undefined {
    const value = this.#rows.get(`${kind} ${id}`)
    return value === undefined ? undefined : (JSON.parse(value) as T)
  }
  list<T>(): { id: string; value: T }[] {
    return []
  }
  count(): number {
    return this.#rows.size
  }
  async put(kind: OwnKind, id: string, value: unknown): Promise<void> {
    this.#rows.set(`${kind} ${id}`, JSON.stringify(value))
  }
  async remove(kind: OwnKind, id: string): Promise<void> {
    this.#rows.delete(`${kind} ${id}`)
  }
}

class Scene {
  readonly clock = new ManualClock()
  readonly own = new Rows()
  readonly outlets = new Map<Outlet, Deliver>()
  readonly told: string[] = []
  problems: Problem[] = []
  found = (): Promise<Problem[]> => Promise.resolve(this.problems)
  alerts = this.start()

  /** As after a restart: all that is left is the rows. */
  start(): Alerts {
    const { clock, own, outlets, told } = this
    const device = { peer: 'self' as Alert['device']['peer'], name: 'laptop' }
    return new Alerts({
      own,
      clock,
      random: systemRandom,
      log: silentLog,
      device: () => device,
      problems: () => this.found(),
      outlets: () => outlets,
      publish: ({ state, kind, subject }) => told.push([state, kind, subject ?? ''].join(' ').trim()),
      wake: () => undefined,
    })
  }

  /** Works as the runner does, for `ms`. */
  async run(ms: number): Promise<void> {
    const until = this.clock.monotonicMs() + ms
    for (let now = this.clock.monotonicMs(); now < until; now = this.clock.monotonicMs()) {
      const result = await this.alerts.work(never)
      const waitMs = result === 'more' ? 1 : result.waitMs
      await this.clock.advance(Math.min(waitMs, until - now))
    }
  }

  takeTold(): string[] {
    return this.told.splice(0)
  }
}

test('what lasts is told of once, and its end too, over restarts', async () => {
  const scene = new Scene()
  scene.problems = [damage]
  await scene.run(limits.alertSettleMs)
  assert.deepEqual(scene.takeTold(), [], 'not right after the start')
  await scene.run(3 * limits.alertErrorMs)
  assert.deepEqual(scene.takeTold(), ['raised damage'])
  scene.problems = [{ ...damage, what: '2 chunks are damaged' }]
  await scene.run(10 * limits.alertErrorMs)
  scene.alerts = scene.start()
  await scene.run(10 * limits.alertErrorMs)
  assert.deepEqual(scene.takeTold(), [], 'the same problem, whatever is said of it')
  scene.problems = []
  await scene.run(3 * limits.alertClearMs)
  assert.deepEqual(scene.takeTold(), ['cleared damage'])
  assert.deepEqual(
    scene.alerts.recent().map(({ state, what }) => [state, what]),
    [
      ['cleared', '1 chunk is damaged'],
      ['raised', '1 chunk is damaged'],
    ],
  )
})

test('what comes and goes with every upload alarms nobody, and hints never do', async () => {
  const scene = new Scene()
  await scene.run(limits.alertSettleMs)
  for (let round = 0; round < 20; round++) {
    scene.problems = [short, { ...away, severity: 'hint' }]
    await scene.run(limits.alertWarningMs / 3)
    scene.problems = []
    await scene.run(limits.alertClearMs / 2)
  }
  assert.deepEqual(scene.takeTold(), [])
  scene.problems = [short]
  await scene.run(2 * limits.alertWarningMs)
  scene.problems = []
  await scene.run(limits.alertClearMs / 4)
  scene.problems = [short, away]
  await scene.run(2 * limits.alertWarningMs)
  assert.deepEqual(scene.takeTold(), ['raised degraded', 'raised away nas'])
})

test('a round that somebody asks for tells at once', async () => {
  const scene = new Scene()
  scene.problems = [short]
  scene.alerts.hurry()
  await scene.alerts.work(never)
  assert.deepEqual(scene.takeTold(), ['raised degraded'])
})

test('a round that is asked for while one is under way comes after it', async () => {
  const scene = new Scene()
  const looking = Promise.withResolvers<Problem[]>()
  const { problems } = scene
  scene.found = () => looking.promise
  scene.alerts.hurry()
  const first = scene.alerts.work(never)
  scene.alerts.hurry()
  looking.resolve(problems)
  await first
  scene.found = () => Promise.resolve([short])
  await scene.alerts.work(never)
  assert.deepEqual(scene.takeTold(), ['raised degraded'])
})

test('what happens again and again is told of once an hour', async () => {
  const scene = new Scene()
  const healed: Problem = { ...damage, kind: 'damage-healed' }
  for (let count = 0; count < 50; count++) await scene.alerts.notice(healed)
  await scene.clock.advance(limits.alertAgainMs)
  await scene.alerts.notice(healed)
  assert.deepEqual(scene.takeTold(), ['noticed damage-healed', 'noticed damage-healed'])
})

test('an outlet that fails is tried again later each time, over restarts, in order, without the other one', async () => {
  const scene = new Scene()
  const taken: Alert[] = []
  const ran: Alert[] = []
  let tries = 0
  let broken = true
  scene.outlets.set('command', async (alert) => void ran.push(alert))
  scene.outlets.set('webhook', async (alert) => {
    tries += 1
    if (broken) throw new Error('no connection')
    taken.push(alert)
  })
  scene.problems = [damage, away]
  scene.alerts.hurry()
  await scene.run(limits.alertRetryMs)
  assert.deepEqual(
    ran.map(({ kind }) => kind),
    ['damage', 'away'],
  )
  assert.ok(tries > 5 && tries < 15, `${tries} tries in an hour`)
  assert.match(scene.alerts.status(), /2 told of and not over; 2 wait for the webhook \(.*no connection/)
  scene.alerts = scene.start()
  broken = false
  await scene.run(limits.alertRetryMs)
  assert.deepEqual(
    taken.map(({ kind }) => kind),
    ['damage', 'away'],
  )
  assert.deepEqual(
    taken.map(({ id }) => id),
    ran.map(({ id }) => id),
  )
  assert.equal(scene.alerts.status(), '2 told of and not over')
})

test('few wait, and none for ever', async () => {
  const scene = new Scene()
  scene.outlets.set('webhook', async () => {
    throw new Error('gone')
  })
  for (let count = 0; count < limits.alertsKept + 20; count++)
    await scene.alerts.notice({ ...damage, subject: String(count) })
  assert.match(scene.alerts.status(), new RegExp(`; ${limits.alertsKept} wait`))
  assert.equal(scene.alerts.recent().length, limits.alertsKept)
  await scene.run(limits.alertLifeMs + 2 * limits.alertRetryMs)
  assert.equal(scene.alerts.status(), 'nothing is wrong')
})

test('nobody is told of what could not be kept', async () => {
  const scene = new Scene()
  const put = scene.own.put.bind(scene.own)
  scene.own.put = () => Promise.reject(new Error('the disk is full'))
  scene.problems = [damage]
  scene.alerts.hurry()
  await assert.rejects(scene.alerts.work(never), /the disk is full/)
  assert.deepEqual(scene.takeTold(), [])
  scene.own.put = put
  scene.alerts.hurry()
  await scene.alerts.work(never)
  assert.deepEqual(scene.takeTold(), ['raised damage'])
})
