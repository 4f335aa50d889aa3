/**
 * A device that goes: it says so in its statement, so that nothing new is placed on it and its copies
 * count no more; repair then brings all that lies here to others. It is safe to unplug once every
 * chunk was proved to lie elsewhere and another member has its records. Nothing is dropped here.
 */
import type { Clock } from '../base/clock.ts'
import { asPeerStorError, fail } from '../base/errors.ts'
import type { ChunkId, DeviceId, PeerId, RecordHash } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { Catalogue } from '../access/catalogue.ts'
import type { Membership, Pool } from '../pool/pool.ts'
import type { Store } from '../store/store.ts'

/** `moving`: copies are being made; `checking`: others prove that they have them. */
export type RetirePhase = 'active' | 'moving' | 'checking' | 'safe'

export interface RetireState {
  phase: RetirePhase
  /** Chunks here, as far as was looked. */
  chunks: number
  /** Those that too few other devices have. */
  left: number
  /** Those that others proved to have, in this round of checking. */
  checked: number
  /** Why it does not go on. */
  reason?: string | undefined
}

export interface RetirementParts {
  store: Store
  catalogue: Catalogue
  membership: Membership
  pool: Pool
  clock: Clock
  /** This device's statement has changed. */
  onChange: () => void
  wake: (worker: string) => void
}

const row = ['setting', 'retiring'] as const
const idleMs = 3600_000
/** Between two looks: repair works meanwhile. */
const lookAgainMs = 2_000

/** Whether this device retires, as it is remembered over restarts. One that joins again is another device. */
export class RetireSwitch {
  readonly #own: Pick<Store['own'], 'get' | 'put' | 'remove'>
  readonly #device: DeviceId
  #on: boolean

  constructor(own: Pick<Store['own'], 'get' | 'put' | 'remove'>, device: DeviceId) {
    this.#own = own
    this.#device = device
    this.#on = own.get<string>(...row) === device
  }

  get isOn(): boolean {
    return this.#on
  }

  async turn(on: boolean): Promise<void> {
    await (on ? this.#own.put(...row, this.#device) : this.#own.remove(...row))
    this.#on = on
  }
}

export class Retirement implements Worker {
  readonly name = 'retire'
  readonly #parts: RetirementParts
  readonly #switch: RetireSwitch
  #phase: 'moving' | 'checking' | 'safe' = 'moving'
  /** Where the round is, and what it counted. */
  #after: ChunkId | undefined
  #seen = 0
  #lacking = 0
  #startedAt = 0
  /** Of the last whole look. */
  #chunks = 0
  #left = 0
  /** This device's last records when the round began: whatever it stores for people ends in one. */
  #mark = ''
  #reason: string | undefined

  constructor(parts: RetirementParts, retireSwitch: RetireSwitch) {
    this.#parts = parts
    this.#switch = retireSwitch
  }

  async begin(): Promise<RetireState> {
    if (!this.#switch.isOn) {
      const { catalogue } = this.#parts
      if (this.#otherKeepers().length === 0) throw fail('RETIRE_ALONE')
      if (!hasKeysElsewhere(catalogue)) throw fail('RETIRE_KEYS')
      await this.#turn(true)
    }
    return this.state()
  }

  async cancel(): Promise<RetireState> {
    if (this.#switch.isOn) await this.#turn(false)
    return this.state()
  }

  state(): RetireState {
    if (!this.#switch.isOn) return { phase: 'active', chunks: 0, left: 0, checked: 0 }
    const phase = this.#isSafe() ? 'safe' : this.#phase === 'safe' ? 'moving' : this.#phase
    const checked = phase === 'safe' ? this.#chunks : phase === 'checking' ? this.#seen - this.#lacking : 0
    return { phase, chunks: this.#chunks, left: this.#left, checked, reason: this.#reason }
  }

  status(): string {
    return retireText(this.state())
  }

  async work(signal: AbortSignal): Promise<WorkResult> {
    if (!this.#switch.isOn) return { waitMs: idleMs }
    if (this.#isSafe()) return { waitMs: lookAgainMs }
    if (this.#phase === 'safe') this.#restart('moving')
    if (this.#after === undefined) {
      this.#startedAt = this.#parts.clock.monotonicMs()
      this.#mark = this.#lastRecords().join()
    }
    const { departure } = this.#parts.pool
    const looked =
      this.#phase === 'moving'
        ? await departure.look(this.#after)
        : await departure.prove(this.#after, signal)
    this.#seen += looked.chunks
    this.#lacking += looked.lacking
    this.#after = looked.next
    return looked.next === undefined ? this.#endRound(signal) : 'more'
  }

  async #endRound(signal: AbortSignal): Promise<WorkResult> {
    const { clock } = this.#parts
    const tookMs = clock.monotonicMs() - this.#startedAt
    const proved = this.#phase === 'checking'
    this.#chunks = this.#seen
    this.#left = this.#lacking
    this.#reason = this.#left > 0 ? this.#whyNot() : undefined
    this.#restart(this.#left > 0 ? 'moving' : 'checking')
    if (this.#left > 0) return { waitMs: Math.max(lookAgainMs, tookMs) }
    if (!proved) return 'more'
    this.#reason = await this.#whyNotGone(signal)
    // What was written while it was checked is looked at in another round.
    if (this.#reason === undefined && this.#mark === this.#lastRecords().join()) {
      this.#phase = 'safe'
      if (this.#otherKeepers().length === 1)
        this.#reason = 'one device alone keeps everything then; add another: peerstor invite'
    }
    return { waitMs: lookAgainMs }
  }

  #restart(phase: 'moving' | 'checking'): void {
    this.#phase = phase
    this.#after = undefined
    this.#seen = 0
    this.#lacking = 0
  }

  /** What comes here later, an upload to this device, is moved too. */
  #isSafe(): boolean {
    return this.#phase === 'safe' && this.#mark === this.#lastRecords().join()
  }

  async #turn(on: boolean): Promise<void> {
    await this.#switch.turn(on)
    this.#restart('moving')
    this.#chunks = this.#left = 0
    this.#reason = undefined
    this.#parts.onChange()
    this.#parts.wake(this.name)
  }

  #otherKeepers(): ReturnType<Membership['members']> {
    const { membership } = this.#parts
    return membership.members().filter(({ keeps, peer }) => keeps && peer !== membership.self)
  }

  #isConnected(peer: PeerId): boolean {
    return this.#parts.pool.health().some((seen) => seen.peer === peer && seen.connected)
  }

  #whyNot(): string | undefined {
    const keepers = this.#otherKeepers()
    if (keepers.length === 0) return 'no other device keeps files; add one: peerstor invite'
    const online = keepers.filter(({ peer }) => this.#isConnected(peer))
    if (online.length === 0) return 'no other device that keeps files is connected'
    if (online.every(({ full }) => full))
      return 'the other devices have no room; add one, or give more: peerstor quota set SIZE'
    return undefined
  }

  /** Chunks are elsewhere; keys and records must be too. */
  async #whyNotGone(signal: AbortSignal): Promise<string | undefined> {
    const { catalogue, membership } = this.#parts
    if (this.#otherKeepers().length === 0) return this.#whyNot()
    if (!hasKeysElsewhere(catalogue)) return 'the keys are on this device only: peerstor recovery print'
    const others = membership
      .members()
      .filter(({ peer }) => peer !== membership.self && this.#isConnected(peer))
    // A member rather than a device that only stores: he passes everything on, and can read it.
    const members = others.filter(({ role }) => role !== 'storage')
    for (const { peer } of members.length > 0 ? members : others)
      if (await this.#hasRecords(peer, signal)) return undefined
    return 'no connected device has all records of this one yet'
  }

  /** The batches that this device's chain ends in. */
  #lastRecords(): RecordHash[] {
    const { store, catalogue } = this.#parts
    return store.read.heads(catalogue.device).map(({ batch }) => batch)
  }

  async #hasRecords(peer: PeerId, signal: AbortSignal): Promise<boolean> {
    const { pool } = this.#parts
    try {
      for (const last of this.#lastRecords())
        if (!(await pool.departure.hasBatch(peer, last, signal))) return false
      return true
    } catch (thrown) {
      signal.throwIfAborted()
      this.#reason = asPeerStorError(thrown).message
      return false
    }
  }
}

export function retireText({ phase, chunks, left, checked, reason }: RetireState): string {
  const why = reason === undefined ? '' : `: ${reason}`
  if (phase === 'active') return 'the device stays'
  if (phase === 'safe') return `safe to unplug: all that the device kept lies on others${why}`
  if (phase === 'checking') return `others proved to have ${checked} of ${chunks} chunks${why}`
  if (chunks === 0) return `looking what is still to be copied to others${why}`
  return `${left} of ${chunks} chunks are still to be copied to others${why}`
}

/** Whether folders can be opened without this device. One that only stores has no keys to lose. */
function hasKeysElsewhere(catalogue: Catalogue): boolean {
  const devices = catalogue.devices().filter(({ revoked }) => !revoked)
  const own = devices.find(({ device }) => device === catalogue.device)
  if (own?.kind === 'storage') return true
  return devices.some(
    ({ device, kind, user, printed }) =>
      user === catalogue.user && device !== catalogue.device && (kind === 'device' || printed),
  )
}
