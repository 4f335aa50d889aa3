/** One home at work: its pool, and the way from one pool to another. Put together by create-peer.ts. */
import { loadPoolKeys, removePoolKeys, savePoolKeys, type PoolKeys } from '../access/device-keys.ts'
import { removeJoined, removeJoining } from '../access/joining-file.ts'
import { newPool } from '../access/new-pool.ts'
import { openTokens } from '../access/open-tokens.ts'
import type { Subject, Tokens } from '../access/tokens.ts'
import { parseInvite } from '../access/invite-code.ts'
import { parsePaper } from '../access/recovery.ts'
import { asPeerStorError, fail, isCode, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log, LogLevel } from '../base/log.ts'
import type { CallOptions, DeviceId, PeerId, PoolId, Role } from '../base/words.ts'
import type { WorkerState } from '../base/worker.ts'
import { derive } from '../codec/hash.ts'
import type { SigningKey } from '../codec/sign.ts'
import type { Files } from '../files/files.ts'
import type { Alerts } from './alerts.ts'
import { createCore, type Core, type CoreParts } from './create-core.ts'
import { problemsOf } from './doctor.ts'
import { EventLog } from './events.ts'
import { sayFarewell } from './farewell.ts'
import { folderVerbs } from './folder-verbs.ts'
import { forwardEvents } from './forward-events.ts'
import { closeCore } from './forget-opened.ts'
import { FormerPool, requireMayBring } from './former-pool.ts'
import type { Home } from './home.ts'
import { join, type Joined, type JoinParts } from './join.ts'
import { lockedWarning, lockVerbs, requireNoLock } from './lock-verbs.ts'
import { measured, Metrics } from './metrics.ts'
import { FilesObserver } from './observed-files.ts'
import { CurrentOwnState } from './current-own-state.ts'
import { webAddresses } from './own-address.ts'
import type {
  Alert,
  CheckedReport,
  FolderVerbs,
  LockVerbs,
  LossAnswer,
  LossQuery,
  NumberedEvent,
  Peer,
  PeerOptions,
  PeerStatus,
  PoolVerbs,
  Problem,
  RecoveryVerbs,
  ScrubAnswer,
  SignedReport,
} from './peer.ts'
import { noticeAlarm, openAlerts } from './open-alerts.ts'
import { poolVerbs } from './pool-verbs.ts'
import { recover } from './recover.ts'
import { recoveryVerbs } from './recovery-verbs.ts'
import { checkReport, makeReport } from './report.ts'
import { scrub, scrubDevice } from './scrub-verb.ts'
import type { Settings, SettingKey } from './settings.ts'
import { simulateLoss } from './simulate.ts'
import { SharedNetwork } from './shared-network.ts'
import { collect } from './collect-verb.ts'
import { countFilesOnlyHere, filesOf, movesOf, quotaOf, safetyOf, storageOf } from './status.ts'
import { unavailableFiles } from './unavailable-files.ts'
import { steerWorker } from './worker-verbs.ts'
import { openWebCertificate } from './web-certificate.ts'
import { allWarnings, isShutOut, warningText } from './warnings.ts'
import type { WebCertificate } from '../access/web-certificate.ts'

/** So long after the start nobody wonders that no other device is connected yet. */
const settleSeconds = 30

export interface RunningParts extends Omit<CoreParts, 'keys' | 'welcome' | 'onAlarm'> {
  home: Home
  settings: Settings
  peerKey: SigningKey
  /** Who the network asks what a peer is to the pool. */
  useRoles: (lookUp: (peer: PeerId) => Role) => void
  setLogLevel: (level: LogLevel) => void
}

export class RunningPeer implements Peer {
  readonly home: string
  readonly settings: Settings
  readonly files: Files
  readonly folders: FolderVerbs
  readonly pool: PoolVerbs
  readonly recovery: RecoveryVerbs
  readonly lock: LockVerbs
  readonly tokens: Tokens
  readonly log: Log
  readonly #parts: RunningParts
  readonly #shared: SharedNetwork
  readonly #own = new CurrentOwnState()
  readonly #metrics = new Metrics()
  readonly #events: EventLog
  readonly #observer: FilesObserver
  readonly #former: FormerPool
  readonly #alerts: Alerts
  readonly #stopping = new AbortController()
  readonly #startedAt: number
  readonly #startedMs: number
  readonly #codes: Pick<PeerOptions, 'join' | 'recover'>
  #keys: PoolKeys | undefined
  #core: Core | undefined
  /** Why there is no core: the storage folder is missing. */
  #problem: PeerStorError | undefined
  #web: { url: string; local: string } | undefined
  #changing: Promise<unknown> = Promise.resolve()
  #stopped: Promise<void> | undefined

  constructor(parts: RunningParts, codes: Pick<PeerOptions, 'join' | 'recover'>) {
    this.#parts = parts
    this.#codes = codes
    this.home = parts.home.folder
    this.settings = parts.settings
    this.log = parts.log
    this.#startedAt = parts.clock.now()
    this.#startedMs = parts.clock.monotonicMs()
    this.#shared = new SharedNetwork(parts.network)
    this.#events = new EventLog(parts.clock)
    this.#former = new FormerPool(parts)
    this.#observer = new FilesObserver({ ...parts, metrics: this.#metrics, events: this.#events })
    this.#alerts = openAlerts(parts, {
      own: this.#own,
      problems: () => this.doctor(),
      publish: (alert) => this.#events.publish({ type: 'alert', data: alert }),
      wake: () => this.#core?.workers.wake('alerts'),
    })
    const serverKey = derive('peerstor/1 s3 server key', parts.peerKey.seed)
    this.tokens = openTokens({ ...parts, own: this.#own, serverKey })
    const core = (): Core => this.#coreNow()
    this.files = this.#observer.watch(() => this.#filesNow((open) => open.files))
    this.folders = folderVerbs(core)
    this.pool = poolVerbs(core, parts.network, {
      join: (text, options) => this.#inTurn(() => this.#join(text, options ?? {})),
      leave: () => this.#inTurn(() => this.#leave()),
    })
    this.recovery = this.#recoveryVerbs(core)
    this.lock = this.#lockVerbs()
    parts.useRoles((peer) => this.#core?.catalogue.roleOf(peer) ?? 'stranger')
    parts.settings.on((key) => this.#settingChanged(key))
    parts.network.on((event) => {
      if (event.type === 'discover') return
      if (event.type === 'disconnect') this.#metrics.countEnded(event)
      const state = event.type === 'connect' ? 'online' : 'offline'
      this.#events.publish({ type: 'peers', data: { peer: event.peer, state } })
    })
  }

  filesFor(subject: Subject): Files {
    const require = (scope: 'read' | 'write', path: string): void => this.tokens.require(subject, scope, path)
    return this.#observer.watch(() => this.#filesNow((core) => core.filesFor(require)))
  }

  async start(): Promise<void> {
    try {
      await this.#open()
    } catch (thrown) {
      this.#stopped ??= this.#close().then(() => this.#parts.home.discard())
      await this.#stopped
      throw thrown
    }
  }

  /** A second call waits for the first. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const { clock, log, home } = this.#parts
    this.#stopping.abort()
    const late = new AbortController()
    const closing = this.#close().catch((thrown: unknown) =>
      log.error('not everything was closed', { reason: asPeerStorError(thrown).message }),
    )
    const timeout = clock.sleep(limits.stopTimeoutMs - 1000, late.signal).catch(() => undefined)
    const inTime = await Promise.race([closing.then(() => true), timeout.then(() => false)])
    late.abort()
    if (inTime) return await home.close()
    log.warn('stopped before all work had ended')
    // Whoever may still write keeps the home to himself.
    void closing.then(() => home.close())
  }

  async status(): Promise<PeerStatus> {
    const core = this.#coreNow()
    const { catalogue } = core
    return {
      peer: catalogue.peer,
      name: this.#parts.self.name(),
      url: this.#web?.url ?? '',
      addresses: this.#parts.network.addresses(),
      version: this.#parts.self.version,
      pool: {
        id: catalogue.pool,
        role: isShutOut(core) ? 'ex-member' : catalogue.roleOf(catalogue.peer),
        peers: core.membership.members().length,
      },
      storage: await storageOf(core),
      files: filesOf(core),
      safety: await safetyOf(core),
      ...movesOf(core),
      transfers: this.#observer.running,
      uptimeSeconds: this.#uptimeSeconds(),
      locked: this.#keys?.locked === true,
      warnings: (await this.#warnings()).map(warningText),
    }
  }

  #warnings(): Promise<Problem[]> {
    return allWarnings(this.#coreNow(), {
      problem: this.#problem,
      storage: this.#parts.storage,
      settled: this.#uptimeSeconds() >= settleSeconds,
      recoverySeed: this.#keys?.recoverySeed,
      former: [...lockedWarning(this.#keys), ...this.#former.warning()],
    })
  }

  async quota(): ReturnType<Peer['quota']> {
    return quotaOf(this.#coreNow())
  }

  workers(): WorkerState[] {
    return this.#core?.workers.list() ?? []
  }

  async doctor(): Promise<Problem[]> {
    return problemsOf(this.#coreNow(), await this.status(), await this.#warnings())
  }

  alerts(): Alert[] {
    return this.#alerts.recent()
  }

  testAlert({ signal = this.#stopping.signal }: CallOptions = {}): ReturnType<Peer['testAlert']> {
    return this.#alerts.test(AbortSignal.any([signal, this.#stopping.signal]))
  }

  async simulateLoss(query: LossQuery): Promise<LossAnswer> {
    return simulateLoss(this.#coreNow(), query, this.#parts.clock)
  }

  async scrub(path?: string, options: CallOptions = {}): Promise<ScrubAnswer> {
    return scrub(this.#wholeCore(), path, options)
  }

  async scrubDevice(device: string, options: CallOptions = {}): Promise<ScrubAnswer> {
    return scrubDevice(this.#wholeCore(), device, this.#parts, options)
  }

  async report(options: CallOptions = {}): Promise<SignedReport> {
    const core = this.#coreNow()
    const key = (this.#keys as PoolKeys).secrets.record
    const told = { status: await this.status(), problems: await this.doctor() }
    return makeReport(core, { ...this.#parts, key }, told, options)
  }

  checkReport(report: SignedReport): CheckedReport {
    return checkReport(this.#coreNow(), report)
  }

  readonly collect: Peer['collect'] = async (...asked) => collect(this.#wholeCore(), ...asked)

  readonly steerWorker: Peer['steerWorker'] = async (...asked) => steerWorker(this.#coreNow(), ...asked)

  health(): { healthy: boolean; uptimeSeconds: number } {
    return {
      healthy: this.#core !== undefined && this.#problem === undefined,
      uptimeSeconds: this.#uptimeSeconds(),
    }
  }

  metrics(): ReturnType<Peer['metrics']> {
    const since = { startedAt: this.#startedAt, uptime: () => this.#uptimeSeconds() }
    return this.#metrics.told(() => measured(this.#core, this.#parts.network, since))
  }

  events(since: number | undefined, listener: (event: NumberedEvent) => void): () => void {
    return this.#events.subscribe(since, listener)
  }

  async listening(web: { host: string; port: number }): Promise<void> {
    this.#web = webAddresses(web, this.settings.get('public-url'))
    await this.#parts.home.writeRun({ ...this.#web, token: this.tokens.launchToken, pid: process.pid })
  }

  webCertificate(): Promise<WebCertificate> {
    const { clock, random } = this.#parts
    return openWebCertificate(this.home, this.settings, clock, random)
  }

  async #open(): Promise<void> {
    const { home, peerKey, network } = this.#parts
    const saved = await loadPoolKeys(home.folder, peerKey)
    if (saved !== undefined) await removeJoined(home.folder, saved)
    const { join: code, recover: paper } = this.#codes
    if ((code ?? paper) !== undefined && saved === undefined) {
      if (code !== undefined) parseInvite(code)
      if (paper !== undefined) parsePaper(paper)
      await network.start()
      const joined = paper === undefined ? await this.#redeem(code!, {}) : await this.#recover(paper)
      await this.#makeOurs(await this.#openCore(joined.keys, joined.welcome.batches()), joined, undefined)
      await joined.welcome.remove()
    } else {
      await this.#openStorage(saved ?? (await this.#foundPool()))
      await network.start()
    }
    if (this.#core !== undefined) await this.#begin(this.#core)
    if (code !== undefined && saved !== undefined) await this.#joinLater(code, saved)
    if (paper !== undefined && saved !== undefined) this.#recoverLater(paper, saved)
  }

  /** `start --recover` on a home that has a pool: nothing when it is that one. */
  #recoverLater(paper: string, { pool }: PoolKeys): void {
    if (parsePaper(paper).pool !== pool) throw fail('POOL_OTHER')
    this.#parts.log.info('this home is already in that pool: --recover is ignored')
  }

  /** Starts the pool that is open, and ends what a crash interrupted on the way to it. */
  async #begin(core: Core): Promise<void> {
    await core.start()
    if (this.#problem !== undefined) return
    await this.#former.clear(core)
    this.#former.resume(core)
  }

  /** `start --join` on a home that has a pool: nothing when it is that one. */
  async #joinLater(code: string, { pool }: PoolKeys): Promise<void> {
    const invite = parseInvite(code)
    if (invite.pool !== pool) {
      await this.pool.join(code)
      return
    }
    this.#parts.network.learn(invite.peer, invite.addresses)
    this.#parts.log.info('this home is already in that pool: --join is ignored')
  }

  async #foundPool(): Promise<PoolKeys> {
    const { home, peerKey, clock, random } = this.#parts
    const keys = newPool(peerKey, clock, random)
    await savePoolKeys(home.folder, keys, random)
    return keys
  }

  /** Without its storage folder a peer lists its files, reads them from others, and says what is wrong. */
  async #openStorage(keys: PoolKeys): Promise<void> {
    try {
      await this.#openCore(keys, undefined)
    } catch (thrown) {
      if (!isCode(thrown, 'STORAGE_MISSING') && !isCode(thrown, 'STORAGE_FAILED')) throw thrown
      this.#keys = keys
      this.#problem = asPeerStorError(thrown)
      this.#parts.log.error(this.#problem.message, { next: this.#problem.next })
      await this.#openCore(keys, undefined, this.#problem).catch((thrown: unknown) =>
        this.#parts.log.warn('nothing is listed without it', { reason: asPeerStorError(thrown).message }),
      )
    }
  }

  async #openCore(keys: PoolKeys, welcome: CoreParts['welcome'], away?: PeerStorError): Promise<Core> {
    const { network, enter } = this.#shared.forPool()
    const onAlarm = (kind: string, device: DeviceId): void => {
      this.#events.publish({ type: 'alarm', data: { kind, device } })
      if (this.#core !== undefined) noticeAlarm(this.#alerts, this.log, this.#core, kind, device)
    }
    const core = await createCore({ ...this.#parts, keys, welcome, network, onAlarm }, away)
    enter()
    this.#core = core
    this.#keys = keys
    this.#own.use(core.store.own)
    core.workers.add(this.#alerts)
    forwardEvents(core, (event) => this.#events.publish(event), this.#alerts, this.log)
    return core
  }

  #redeem(code: string, options: CallOptions): Promise<Joined> {
    return join(this.#joinParts(), code, options)
  }

  #recover(paper: string): Promise<Joined> {
    return recover(this.#joinParts(), paper)
  }

  #joinParts(): JoinParts {
    const { self, settings } = this.#parts
    const bootstrap = settings.get('bootstrap')
    return { ...this.#parts, home: this.home, name: self.name(), bootstrap }
  }

  #recoveryVerbs(core: () => Core): RecoveryVerbs {
    const { network, random, clock } = this.#parts
    const saveKeys = async (keys: PoolKeys): Promise<void> => {
      await savePoolKeys(this.home, keys, random)
      this.#keys = keys
    }
    const around = { home: this.home, random, addresses: () => network.addresses(), now: () => clock.now() }
    const parts = { ...around, core, saveKeys, keys: () => this.#keys as PoolKeys }
    return recoveryVerbs(parts, (run) => this.#inTurn(run))
  }

  #lockVerbs(): LockVerbs {
    const parts = {
      ...this.#parts,
      home: this.home,
      keys: () => (this.#wholeCore(), this.#keys as PoolKeys),
      useKeys: (keys: PoolKeys) => void (this.#keys = keys),
      enter: (keys: PoolKeys) => this.#enterAgain(keys),
    }
    return lockVerbs(parts, (run) => this.#inTurn(run))
  }

  /** The same pool with other keys at hand; when it cannot be opened with these, this peer stays what it was. */
  async #enterAgain(keys: PoolKeys): Promise<void> {
    const before = this.#keys as PoolKeys
    await this.#leaveCore(this.#wholeCore())
    try {
      await this.#begin(await this.#openCore(keys, undefined))
    } catch (thrown) {
      await this.#core?.stop()
      await this.#begin(await this.#openCore(before, undefined))
      throw thrown
    }
  }

  /**
   * Once the records of the new pool are durable, its keys replace the old ones. Where the inviter is
   * goes first: killed right after, this device would know nobody's address.
   */
  async #makeOurs({ store }: Core, { keys, inviter }: Joined, given: PoolId | undefined): Promise<void> {
    await store.index([{ op: 'seen', ...inviter, at: this.#parts.clock.now() }])
    if (given !== undefined) await this.#former.giveUp(store.own, given)
    await store.own.remove('pool', keys.pool)
    await savePoolKeys(this.home, keys, this.#parts.random)
    await removeJoining(this.home)
  }

  async #join(
    code: string,
    options: CallOptions & { bringFiles?: boolean | undefined },
  ): Promise<{ pool: string; peers: number }> {
    const core = this.#wholeCore()
    const { pool, kind } = parseInvite(code)
    const again = pool === core.catalogue.pool
    const members = core.membership.members().length
    if (again && !isShutOut(core)) {
      if (options.bringFiles === true) await this.#former.bring(core)
      return { pool, peers: members }
    }
    if (!again && members > 1) throw fail('POOL_OTHER')
    requireNoLock(this.#keys)
    if (!again && filesOf(core).count > 0) requireMayBring(kind, options.bringFiles === true)
    if (!again) await this.#former.bring(core)
    const signals = [this.#stopping.signal, ...(options.signal === undefined ? [] : [options.signal])]
    const joined = await this.#redeem(code, { signal: AbortSignal.any(signals) })
    const entered = await this.#replace(core, joined)
    await this.#former.bring(entered)
    return { pool, peers: entered.membership.members().length }
  }

  /**
   * From one pool to another; when the new one cannot be opened, this peer stays what it was. Files
   * are counted when no more can come: one put while the code was redeemed comes along too.
   */
  async #replace(core: Core, joined: Joined): Promise<Core> {
    const old = this.#keys as PoolKeys
    await this.#endWork(core)
    const forget = old.pool !== joined.keys.pool && filesOf(core).count === 0
    if (old.pool !== joined.keys.pool && !forget) await this.#former.keep(old)
    await this.#leaveCore(core)
    let entered: Core
    try {
      entered = await this.#openCore(joined.keys, joined.welcome.batches())
      await this.#makeOurs(entered, joined, forget ? old.pool : undefined)
    } catch (thrown) {
      await this.#core?.stop()
      await (await this.#openCore(old, undefined)).start()
      throw thrown
    } finally {
      await joined.welcome.remove()
    }
    await entered.start()
    await this.#former.clear(entered)
    return entered
  }

  async #leave(): Promise<void> {
    const core = this.#wholeCore()
    requireNoLock(this.#keys)
    const only = await countFilesOnlyHere(core)
    if (only > 0) throw fail('LAST_COPIES', { count: only })
    if (core.membership.members().length > 1 && !isShutOut(core))
      await sayFarewell(core, this.#parts, this.#stopping.signal)
    await this.#former.giveUp(core.store.own, core.catalogue.pool)
    await this.#leaveCore(core)
    await removePoolKeys(this.home)
    await this.#begin(await this.#openCore(await this.#foundPool(), undefined))
  }

  /** From here on nothing is acknowledged in this pool. */
  async #endWork(core: Core): Promise<void> {
    this.#shared.leave()
    this.#core = undefined
    await this.#former.pause()
    await core.quiesce()
  }

  async #leaveCore(core: Core): Promise<void> {
    await this.#endWork(core)
    await core.stop()
    for (const { peer } of this.#parts.network.connections()) await this.#parts.network.disconnect(peer)
  }

  async #close(): Promise<void> {
    const { network, codec, thumbnailer } = this.#parts
    this.#shared.leave()
    await this.#former.pause()
    await this.#changing
    this.#shared.leave()
    await this.#former.pause()
    await closeCore(this.#core, this.#keys, this.#parts.database)
    await network.stop()
    await thumbnailer?.close()
    await codec.close()
  }

  /** What changes pools needs the storage folder. */
  #wholeCore(): Core {
    if (this.#problem !== undefined) throw this.#problem
    return this.#coreNow()
  }

  #coreNow(): Core {
    if (this.#core !== undefined) return this.#core
    throw (
      this.#problem ??
      fail('NOT_HERE', { what: 'the pool', reason: 'the peer is starting or changing pools' })
    )
  }

  #filesNow(open: (core: Core) => Files): Files {
    if (this.#problem !== undefined && this.#core === undefined) return unavailableFiles(this.#problem)
    const core = this.#coreNow()
    if (this.#keys?.locked === true) return unavailableFiles(fail('PEER_LOCKED'))
    const isStorage = core.catalogue.roleOf(core.catalogue.peer) === 'storage'
    return isStorage ? unavailableFiles(fail('STORAGE_ONLY')) : open(core)
  }

  #settingChanged(key: SettingKey): void {
    const { log, self, setLogLevel, settings } = this.#parts
    if (key === 'log') setLogLevel(settings.get('log'))
    const core = this.#core
    if (core === undefined) return
    const changed =
      key === 'name' ? core.catalogue.setDeviceName(core.catalogue.device, self.name()) : core.changed()
    changed.catch((thrown: unknown) =>
      log.warn('a setting took no effect', { key, reason: asPeerStorError(thrown).message }),
    )
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#changing.then(run)
    this.#changing = turn.catch(() => undefined)
    return turn
  }

  #uptimeSeconds(): number {
    return Math.floor((this.#parts.clock.monotonicMs() - this.#startedMs) / 1000)
  }
}
