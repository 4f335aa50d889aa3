/** One home at work: its pool, and the way from one pool to another. Put together by create-peer.ts. */
import { join as pathTo } from 'node:path'
import { loadPoolKeys, removePoolKeys, savePoolKeys, type PoolKeys } from '../access/device-keys.ts'
import { newPool } from '../access/new-pool.ts'
import { openTokens } from '../access/open-tokens.ts'
import type { Subject, Tokens } from '../access/tokens.ts'
import { parseInvite } from '../access/invite-code.ts'
import { asPeerStorError, fail, isCode, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { LogLevel } from '../base/log.ts'
import type { CallOptions, PeerId, Role } from '../base/words.ts'
import type { WorkerState } from '../base/worker.ts'
import type { SigningKey } from '../codec/sign.ts'
import type { Files } from '../files/files.ts'
import { bringFiles } from './bring-files.ts'
import { createCore, type Core, type CoreParts } from './create-core.ts'
import { EventLog } from './events.ts'
import { folderVerbs } from './folder-verbs.ts'
import type { Home } from './home.ts'
import { join, type Joined } from './join.ts'
import { Metrics, type Measured } from './metrics.ts'
import { FilesObserver } from './observed-files.ts'
import { CurrentOwnState } from './current-own-state.ts'
import { webAddresses } from './own-address.ts'
import type { FolderVerbs, NumberedEvent, Peer, PeerStatus, PoolVerbs } from './peer.ts'
import { poolVerbs } from './pool-verbs.ts'
import type { Settings, SettingKey } from './settings.ts'
import { SharedNetwork } from './shared-network.ts'
import { filesOf, safetyOf, warningsOf } from './status.ts'
import { unavailableFiles } from './unavailable-files.ts'

/** Time for connected peers to read that this device has left. */
const farewellMs = 2_000

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
  readonly tokens: Tokens
  readonly #parts: RunningParts
  readonly #shared: SharedNetwork
  readonly #own = new CurrentOwnState()
  readonly #metrics = new Metrics()
  readonly #events: EventLog
  readonly #observer: FilesObserver
  readonly #stopping = new AbortController()
  readonly #startedAt: number
  readonly #startedMs: number
  #code: string | undefined
  #keys: PoolKeys | undefined
  #core: Core | undefined
  /** Why there is no core: the storage folder is missing. */
  #problem: PeerStorError | undefined
  #web: { url: string; local: string } | undefined
  #changing: Promise<unknown> = Promise.resolve()
  #stopped: Promise<void> | undefined

  constructor(parts: RunningParts, code: string | undefined) {
    this.#parts = parts
    this.#code = code
    this.home = parts.home.folder
    this.settings = parts.settings
    this.#startedAt = parts.clock.now()
    this.#startedMs = parts.clock.monotonicMs()
    this.#shared = new SharedNetwork(parts.network)
    this.#events = new EventLog(parts.clock)
    this.#observer = new FilesObserver({ ...parts, metrics: this.#metrics, events: this.#events })
    this.tokens = openTokens({ ...parts, own: this.#own })
    const core = (): Core => this.#coreNow()
    this.files = this.#observer.watch(() => this.#filesNow((open) => open.files))
    this.folders = folderVerbs(core)
    this.pool = poolVerbs(core, parts.network, {
      join: (text, options) => this.#inTurn(() => this.#join(text, options ?? {})),
      leave: () => this.#inTurn(() => this.#leave()),
    })
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
    const timeout = clock.sleep(limits.stopTimeoutMs - 1000, late.signal).then(
      () => log.warn('stopped before all work had ended'),
      () => undefined,
    )
    await Promise.race([this.#close(), timeout])
    late.abort()
    await home.close()
  }

  async status(): Promise<PeerStatus> {
    const core = this.#coreNow()
    const { catalogue, store } = core
    const { usedBytes, freeBytes } = await store.use()
    return {
      peer: catalogue.peer,
      name: this.#parts.self.name(),
      url: this.#web?.url ?? '',
      addresses: this.#parts.network.addresses(),
      version: this.#parts.self.version,
      pool: {
        id: catalogue.pool,
        role: catalogue.roleOf(catalogue.peer),
        peers: core.membership.members().length,
      },
      storage: { used: usedBytes, contributed: core.contributed(), free: freeBytes },
      files: filesOf(core),
      safety: safetyOf(core),
      transfers: this.#observer.running,
      uptimeSeconds: this.#uptimeSeconds(),
      warnings: warningsOf(core),
    }
  }

  async quota(): ReturnType<Peer['quota']> {
    const core = this.#coreNow()
    const { usedBytes, freeBytes } = await core.store.use()
    const perFolder = core.catalogue
      .folders()
      .map(({ id, name }) => ({ folder: name ?? id, bytes: core.store.read.totals(id).bytes }))
    return { used: usedBytes, contributed: core.contributed(), free: freeBytes, perUser: [], perFolder }
  }

  workers(): WorkerState[] {
    return this.#core?.workers.list() ?? []
  }

  health(): { healthy: boolean; uptimeSeconds: number } {
    return { healthy: this.#core !== undefined, uptimeSeconds: this.#uptimeSeconds() }
  }

  metrics(): ReturnType<Peer['metrics']> {
    const measured = (): Measured => ({
      connections: this.#parts.network.connections(),
      usedBytes: this.#core?.used() ?? 0,
      totalBytes: this.#core?.contributed() ?? 0,
      uptimeSeconds: this.#uptimeSeconds(),
      startedAt: this.#startedAt,
    })
    return {
      json: () => this.#metrics.json(measured()),
      prometheus: () => this.#metrics.prometheus(measured()),
      human: () => this.#metrics.human(measured()),
    }
  }

  events(since: number | undefined, listener: (event: NumberedEvent) => void): () => void {
    return this.#events.subscribe(since, listener)
  }

  async listening(web: { host: string; port: number }): Promise<void> {
    this.#web = webAddresses(web, this.settings.get('public-url'))
    await this.#parts.home.writeRun({ ...this.#web, token: this.tokens.launchToken, pid: process.pid })
  }

  async #open(): Promise<void> {
    const { home, peerKey, network } = this.#parts
    const saved = await loadPoolKeys(home.folder, peerKey)
    const code = this.#code
    const first = code !== undefined && saved === undefined
    if (first) {
      parseInvite(code)
      await network.start()
      await this.#enter(await this.#redeem(code, {}))
    } else {
      await this.#openStorage(saved ?? (await this.#foundPool()))
      await network.start()
    }
    await this.#core?.start()
    this.#resumeBringing()
    if (code !== undefined && saved !== undefined) await this.#joinLater(code, saved)
  }

  /** `start --join` on a home that has a pool: nothing when it is that one. */
  async #joinLater(code: string, { pool }: PoolKeys): Promise<void> {
    if (parseInvite(code).pool === pool)
      this.#parts.log.info('this home is already in that pool: --join is ignored')
    else await this.pool.join(code)
  }

  async #foundPool(): Promise<PoolKeys> {
    const { home, peerKey, clock, random } = this.#parts
    const keys = newPool(peerKey, clock, random)
    await savePoolKeys(home.folder, keys)
    return keys
  }

  /** Without its storage folder a peer still shows its face and says what is wrong. */
  async #openStorage(keys: PoolKeys): Promise<void> {
    try {
      await this.#openCore(keys, undefined)
    } catch (thrown) {
      if (!isCode(thrown, 'STORAGE_MISSING') && !isCode(thrown, 'STORAGE_FAILED')) throw thrown
      this.#keys = keys
      this.#problem = asPeerStorError(thrown)
      this.#parts.log.error(this.#problem.message, { next: this.#problem.next })
    }
  }

  async #openCore(keys: PoolKeys, welcome: readonly Uint8Array[] | undefined): Promise<Core> {
    const { network, enter } = this.#shared.forPool()
    const core = await createCore({
      ...this.#parts,
      keys,
      welcome,
      network,
      onAlarm: (kind, device) => this.#events.publish({ type: 'alarm', data: { kind, device } }),
    })
    enter()
    this.#core = core
    this.#keys = keys
    this.#own.use(core.store.own)
    this.#forward(core)
    return core
  }

  /** What happens in the pool, as events that people see. */
  #forward({ catalogue, pool }: Core): void {
    catalogue.on((event) => {
      if (event.type === 'versions')
        for (const id of event.folders) this.#events.publish({ type: 'files', data: { folder: id } })
      else if (event.type !== 'alarm') this.#events.publish({ type: 'pool', data: { id: catalogue.pool } })
    })
    pool.on(({ type }) => {
      if (type === 'copies') this.#events.publish({ type: 'copies', data: {} })
    })
  }

  #redeem(code: string, options: CallOptions): Promise<Joined> {
    const { network, peerKey, self, settings, clock, random } = this.#parts
    const bootstrap = settings.get('bootstrap')
    return join({ network, peerKey, name: self.name(), bootstrap, clock, random }, code, options)
  }

  /** The records of the new pool are durable before its keys replace the old ones. */
  async #enter({ keys, welcome }: Joined): Promise<Core> {
    const core = await this.#openCore(keys, welcome)
    await savePoolKeys(this.home, keys)
    return core
  }

  async #join(
    code: string,
    options: CallOptions & { bringFiles?: boolean | undefined },
  ): Promise<{ pool: string; peers: number }> {
    const core = this.#coreNow()
    const { pool } = parseInvite(code)
    const old = this.#keys as PoolKeys
    if (pool === core.catalogue.pool) return { pool, peers: core.membership.members().length }
    if (core.membership.members().length > 1) throw fail('POOL_OTHER')
    const hasFiles = filesOf(core).count > 0
    if (hasFiles && options.bringFiles !== true) throw fail('POOL_NOT_EMPTY')
    const joined = await this.#redeem(code, options)
    if (hasFiles) await savePoolKeys(this.#keysBefore, old)
    await this.#leaveCore(core)
    const entered = await this.#enter(joined)
    await entered.start()
    if (hasFiles) await this.#bringFiles(entered)
    return { pool, peers: entered.membership.members().length }
  }

  /** Keys of the pool before, as long as not all of its files are durable in this one. */
  get #keysBefore(): string {
    return pathTo(this.#parts.home.keys, 'before')
  }

  async #bringFiles(core: Core): Promise<void> {
    const old = await loadPoolKeys(this.#keysBefore, this.#parts.peerKey)
    if (old === undefined) return
    if (old.pool !== core.catalogue.pool) {
      const brought = await bringFiles(this.#parts, old, core, { signal: this.#stopping.signal })
      this.#parts.log.info('the files of the pool before were brought along', { files: brought })
    }
    await removePoolKeys(this.#keysBefore)
  }

  /** An interrupted start-over: goes on beside everything else. */
  #resumeBringing(): void {
    if (this.#core === undefined) return
    this.#bringFiles(this.#core).catch((thrown: unknown) => {
      const { message } = asPeerStorError(thrown)
      if (!this.#stopping.signal.aborted)
        this.#parts.log.error('files of the pool before are not all here yet', { reason: message })
    })
  }

  async #leave(): Promise<void> {
    const core = this.#coreNow()
    const { catalogue } = core
    if (core.membership.members().length > 1) {
      await catalogue.revoke([catalogue.device])
      // The others ask for it; whoever is away learns it from them.
      await this.#parts.clock.sleep(farewellMs, this.#stopping.signal)
    }
    await this.#leaveCore(core)
    await removePoolKeys(this.home)
    const entered = await this.#openCore(await this.#foundPool(), undefined)
    await entered.start()
  }

  async #leaveCore(core: Core): Promise<void> {
    this.#shared.leave()
    this.#core = undefined
    await core.stop()
    for (const { peer } of this.#parts.network.connections()) await this.#parts.network.disconnect(peer)
  }

  async #close(): Promise<void> {
    const { network, codec } = this.#parts
    this.#shared.leave()
    await this.#core?.stop()
    await network.stop()
    await codec.close()
  }

  #coreNow(): Core {
    if (this.#core !== undefined) return this.#core
    throw (
      this.#problem ??
      fail('NOT_HERE', { what: 'the pool', reason: 'the peer is starting or changing pools' })
    )
  }

  #filesNow(open: (core: Core) => Files): Files {
    return this.#problem === undefined ? open(this.#coreNow()) : unavailableFiles(this.#problem)
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
