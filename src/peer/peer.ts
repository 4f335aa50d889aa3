/**
 * The public face of one running PeerStor: what the HTTP API, the CLI and `import { createPeer }`
 * use. `create-peer.ts` puts the rooms together; this file names what comes out.
 */
import type { Log, LogLevel } from '../base/log.ts'
import type { CallOptions, DeviceId, PeerId } from '../base/words.ts'
import type { WorkerState } from '../base/worker.ts'
import type { Folder, Policy } from '../access/catalogue.ts'
import type { Fork } from '../access/forks.ts'
import type { LockKind, LockSecret } from '../access/key-lock.ts'
import type { Subject, Tokens } from '../access/tokens.ts'
import type { WebCertificate } from '../access/web-certificate.ts'
import type { Files } from '../files/files.ts'
import type { RekeyState } from '../files/rekey.ts'
import type { RetireState } from './retirement.ts'
import type { RetireAction } from './serve-retirement.ts'
import type { Settings, SettingsValues } from './settings.ts'

export type { RetireAction } from './serve-retirement.ts'

// The words of the rooms below that this face speaks: who uses a peer imports them from here.
export type { Folder, Policy } from '../access/catalogue.ts'
export type { WebCertificate } from '../access/web-certificate.ts'
export type { LockKind, LockSecret } from '../access/key-lock.ts'
export type { NewToken, S3Signer, Scope, SessionLine, Subject, TokenLine, Tokens } from '../access/tokens.ts'
export { categories, typeOf } from '../files/mime.ts'
export { searchOrders } from '../store/index-reader.ts'
export type {
  Candidate,
  Changes,
  Description,
  Download,
  Expiry,
  FileInfo,
  Files,
  FindQuery,
  Scan,
  ListedEntry,
  Properties,
  PutOptions,
  PutResult,
  TreeRestored,
  VersionInfo,
} from '../files/files.ts'
export type { Multipart, Part, WantedPart } from '../files/multipart.ts'
export type { NewUpload, Uploads, UploadState } from '../files/uploads.ts'

/** contract.md `status`. */
export interface PeerStatus {
  peer: PeerId
  name: string
  url: string
  addresses: string[]
  version: string
  pool: { id: string; role: string; peers: number }
  /** `quarantined`: of what is used, what nothing needs any more. */
  storage: { used: number; contributed: number; free: number; quarantined: number }
  files: { count: number; bytes: number }
  /** `needs`: why no file is safe yet, a second device or a second place of the keys. */
  safety: {
    safe: number
    degraded: number
    lost: number
    statement: string
    needs?: 'device' | 'keys' | undefined
  }
  /** Copies that are being made again, and seconds to go as far as can be told. */
  mending?: { chunks: number; etaSeconds: number | undefined } | undefined
  /** Copies brought to where they belong and given up where they are too many. */
  moving?: { chunks: number; etaSeconds: number | undefined } | undefined
  transfers: number
  uptimeSeconds: number
  /** The private keys are sealed: this peer acts as storage-only until it is unlocked. */
  locked: boolean
  warnings: string[]
}

/** contract.md `peers`. */
export interface PeerLine {
  peer: PeerId
  name: string
  role: string
  addresses: string[]
  path: 'direct' | 'relayed' | 'lane' | undefined
  /** `refuses`: it says that this device was revoked. */
  state: 'self' | 'online' | 'offline' | 'refuses'
  latencyMs: number | undefined
  /** Bytes per second received from it lately. */
  rate: number
  /** 0 to 1. */
  reputation: number
  lastSeen: string | undefined
  version: string | undefined
  storage: { used: number; contributed: number } | undefined
}

export interface DeviceLine {
  device: DeviceId
  peer: PeerId | undefined
  name: string
  role: string
  kind: 'device' | 'storage' | 'recovery'
  state: 'active' | 'retiring' | 'revoked'
  /** Its records forked: signed twice over one number, or a restored or copied disk went on beside it. */
  fork?: Fork | undefined
  /** Of a recovery key: whether its paper was confirmed to be in safe hands. */
  printed?: boolean | undefined
  lastSeen: string | undefined
}

/** How far a device is that goes; `safe`: it can be unplugged. */
export interface RetireLine extends RetireState {
  peer: PeerId
  name: string
  statement: string
}

/** A version of a revoked device that does not show. */
export interface HeldLine {
  path: string
  version: string
  kind: string
}

/** contract.md `discover`. */
export interface DiscoverReport {
  mdns: { peer: PeerId; name: string | undefined; addresses: string[]; lastSeen: string }[]
  bootstrap: { address: string; state: string; attempts: number; nextAttempt: string | undefined }[]
  pex: { known: number; lastRound: string | undefined; nextRound: string | undefined }
  dht: { state: 'off' }
}

export interface InviteLine {
  code: string
  link: string
  expires: string
}

export interface PoolVerbs {
  peers(): Promise<{ peers: PeerLine[] }>
  addPeer(address: string, options?: CallOptions): Promise<PeerLine>
  discover(): Promise<DiscoverReport>
  invite(options: { storageOnly: boolean }): Promise<InviteLine>
  /** Joins the pool of a code. An empty, lone pool is replaced; else `bringFiles` takes the files along. */
  join(
    code: string,
    options?: CallOptions & { bringFiles?: boolean | undefined },
  ): Promise<{ pool: string; peers: number }>
  /** Retires this device from the pool and begins a new, empty one. */
  leave(): Promise<void>
  devices(): Promise<{ devices: DeviceLine[] }>
  /** By device id, peer id or unique name. Answers all devices that fall. */
  revoke(names: readonly string[]): Promise<{ devices: DeviceLine[] }>
  rename(name: string, newName: string): Promise<DeviceLine>
  /** Lets a device move all that it keeps to others, lets it stay after all, or tells how far it is. */
  retire(name: string, action: RetireAction, options?: CallOptions): Promise<RetireLine>
  /** Versions that a revoked device wrote after its cut, as far as they are here. */
  held(name: string): Promise<{ held: HeldLine[] }>
  /** Takes them over: all of them, or those of `paths` and below. */
  adopt(name: string, paths: readonly string[]): Promise<{ devices: DeviceLine[]; adopted: HeldLine[] }>
}

export interface RecoveryVerbs {
  /** The code of the paper, while the key is here (`RECOVERY_GONE`); `renew`: of a further key when it is not. */
  print(options: { renew: boolean }): Promise<{ code: string; devices: DeviceLine[] }>
  /** The paper is in safe hands (`code`: as read from it): the key is removed from this device. */
  confirm(code: string | undefined): Promise<{ devices: DeviceLine[] }>
  /** Keys, settings and all records as the bytes of one file; `secret` seals its keys. */
  export(secret?: LockSecret): Promise<AsyncIterable<Uint8Array>>
}

/** `kind` null: the private keys lie on the disk as they are, readable by their owner alone. */
export interface LockState {
  locked: boolean
  kind: LockKind | null
}

export interface LockVerbs {
  state(): Promise<LockState>
  /** Locks now; `secret` is needed the first time and sets what unlocks (`LOCK_SET` when something does). */
  lock(secret?: LockSecret): Promise<LockState>
  /** `LOCK_WRONG`, `LOCK_NONE`. */
  unlock(secret: LockSecret): Promise<LockState>
  change(secret: LockSecret, next: LockSecret): Promise<LockState>
  /** The keys lie on the disk as they are again. */
  remove(secret: LockSecret): Promise<LockState>
}

/** A policy as people write it: `erasure` is `4+2`, or `off`. */
export interface PolicyChange extends Partial<Omit<Policy, 'erasure'>> {
  erasure?: string | undefined
}

export interface FolderLine extends Omit<Folder, 'policy'> {
  policy: Omit<Policy, 'erasure'> & { erasure?: string }
  /** What is in force: `copies`, or shards like `4+2`. */
  scheme: string
  /** Why shards are asked for and not in force. */
  waiting?: string
  files: number
  bytes: number
  copies: number
  /** What is still sealed under a former secret (`rekey`). */
  rekey?: RekeyState
}

export interface FolderVerbs {
  list(): Promise<{ folders: FolderLine[] }>
  create(name: string, policy: PolicyChange): Promise<FolderLine>
  set(name: string, policy: PolicyChange): Promise<FolderLine>
  /** A fresh secret; what is there is sealed anew in the background. */
  rekey(name: string): Promise<FolderLine>
  remove(name: string): Promise<void>
}

/** Typed events of `/events`: `{seq, type, data}`. */
export type PeerEvent =
  | { type: 'files'; data: { folder: string } }
  | { type: 'copies'; data: Record<string, never> }
  | { type: 'peers'; data: { peer: PeerId; state: 'online' | 'offline' } }
  | { type: 'pool'; data: { id: string } }
  | {
      type: 'upload' | 'download'
      data: {
        id: string
        path: string
        bytes: number
        total: number | null
        state: 'running' | 'done' | 'failed'
      }
    }
  /** What happened before was not kept: read everything again. */
  | { type: 'gap'; data: Record<string, never> }
  | { type: 'alarm'; data: { kind: string; device: string } }
  | { type: 'alert'; data: Alert }

/** contract.md `doctor`: something that is not as it should be. `next` is one command. */
export interface Problem {
  /** Which one: `kind` and `subject` stay the same as long as it lasts, whatever is said of it. */
  kind: string
  /** What it is about, where there may be several: a device's peer id, the name of a worker. */
  subject?: string | undefined
  what: string
  severity: 'error' | 'warning' | 'hint'
  next: string
}

/** A problem that began or is over, or something that happened (`noticed`); `id` is of this alert alone. */
export interface Alert extends Problem {
  id: string
  time: string
  state: 'raised' | 'cleared' | 'noticed'
  /** Who says so. */
  device: { peer: PeerId; name: string }
}

export interface LossQuery {
  /** Names or ids of devices. */
  lose: readonly string[]
  limit?: number | undefined
  cursor?: string | undefined
}

/** contract.md `simulate lose`; `entries` are the files that would be lost, `unknown` those whose chunks are not known here. */
export interface LossAnswer {
  devices: { device: DeviceId; name: string }[]
  survive: number
  unknown: number
  lost: number
  /** Whether somebody could still open what survives. */
  keys: boolean
  entries: { path: string; size: number }[]
  next?: string
}

/** A device in a report: what it keeps, and what would be without it. */
export interface ReportDevice {
  device: string
  peer: string
  name: string
  kind: DeviceLine['kind']
  state: DeviceLine['state']
  online: boolean
  lastSeen?: string
  /** First 8 bytes of the zone's tag, hex. */
  zone?: string
  contributed: number
  used: number
  /** Its own word, while it is connected: when what was read longest ago was read, what never was, chunks that stay damaged (64 at most). */
  verified?: { oldest?: string; unreadBytes: number; damaged: number }
  ifLost: Pick<LossAnswer, 'survive' | 'unknown' | 'lost' | 'keys'>
}

/** contract.md `report`. */
export interface SafetyReport {
  format: 1
  time: string
  pool: string
  /** Who says so. */
  device: { device: string; peer: string; name: string; version: string }
  statement: string
  files: { count: number; bytes: number; safe: number; degraded: number; lost: number }
  /** Different zones among the devices. */
  zones: number
  /** `copies` wanted now, `asked` were there devices enough; `scheme` `copies`, or `4+2` of a folder whose chunks are shards. */
  folders: {
    id: string
    name: string
    files: number
    bytes: number
    scheme: string
    copies: number
    asked: number
    safe: number
    degraded: number
    lost: number
  }[]
  devices: ReportDevice[]
  /** On this disk since the start. */
  damage: { checkedBytes: number; found: number; healed: number; left: number }
  problems: Problem[]
}

export interface SignedReport {
  report: SafetyReport
  /** The device's record key and its signature over the report (docs/FORMAT.md). */
  signature: { device: string; key: string; signature: string }
}

/** `state`: of the device that signed, as this pool knows it. */
export interface CheckedReport {
  valid: boolean
  time: string
  device: string
  name: string
  state: 'active' | 'revoked' | 'unknown'
}

/** contract.md `scrub`; `left`: files that stay damaged. */
export interface ScrubAnswer {
  checked: number
  bytes: number
  damaged: number
  healed: number
  left: string[]
}

/** contract.md `gc`. */
export interface CollectAnswer {
  removed: number
  bytes: number
  /** What waits for a word: `gc --confirm ID`. */
  held: { id: string; reason: string; chunks: number; bytes: number }[]
  /** Chunks here that nothing needs, and that can still come back. */
  quarantined: { chunks: number; bytes: number }
  /** Why something could not be decided now. */
  waiting: string[]
}

export type WorkerAction = 'pause' | 'resume' | 'run'

export interface NumberedEvent {
  seq: number
  event: PeerEvent
}

export interface Peer {
  readonly home: string
  /** The verbs with all rights: the owner's own program. */
  readonly files: Files
  /** The verbs of one caller: each checks the path that it opens. */
  filesFor(subject: Subject): Files
  readonly folders: FolderVerbs
  readonly pool: PoolVerbs
  readonly recovery: RecoveryVerbs
  readonly lock: LockVerbs
  readonly tokens: Tokens
  readonly settings: Settings
  /** Where the faces of this peer write their lines. */
  readonly log: Log
  start(): Promise<void>
  /** Ends uploads in flight or leaves them resumable, closes everything within 10 s. */
  stop(): Promise<void>
  status(): Promise<PeerStatus>
  quota(): Promise<{
    used: number
    contributed: number
    free: number
    /** Of what is used: chunks that nothing needs, dropped when their time is over. */
    quarantined: number
    perUser: unknown[]
    /** `quota` where the folder has one. */
    perFolder: { folder: string; bytes: number; quota?: number | undefined }[]
  }>
  workers(): WorkerState[]
  /** Everything that is not as it should be, the worst first. */
  doctor(): Promise<Problem[]>
  /** The last alerts, newest first. */
  alerts(): Alert[]
  /** Sends a test to the webhook and the command of the settings; `problem`: why one did not take it. */
  testAlert(options?: CallOptions): Promise<{ outlet: string; problem?: string }[]>
  /** Which files would survive without some devices. */
  simulateLoss(query: LossQuery): Promise<LossAnswer>
  /** How safe all files are, folder by folder and device by device, signed by this one. */
  report(options?: CallOptions): Promise<SignedReport>
  checkReport(report: SignedReport): CheckedReport
  /** Reads what lies on this disk, all of it or what a path needs, compares it and mends what is damaged. */
  scrub(path?: string, options?: CallOptions): Promise<ScrubAnswer>
  /** Has another device of the pool read all that lies on its disk, and mend it. */
  scrubDevice(device: string, options?: CallOptions): Promise<ScrubAnswer>
  /** Compares what folders need with what lies here and at connected devices, then drops what nothing needs any more. */
  collect(
    options?: { dryRun?: boolean | undefined; confirm?: string | undefined },
    call?: CallOptions,
  ): Promise<CollectAnswer>
  /** Pauses a worker, lets it go on, or asks for a round now; answers all of them. */
  steerWorker(name: string, action: WorkerAction): Promise<WorkerState[]>
  health(): { healthy: boolean; uptimeSeconds: number }
  metrics(): { json(): unknown; prometheus(): string; human(): string }
  /** Events after `since`, then live ones; the result ends the subscription. */
  events(since: number | undefined, listener: (event: NumberedEvent) => void): () => void
  /** The web face tells where it listens; resolves when run.json says so, before any link is printed. */
  listening(web: { host: string; port: number }): Promise<void>
  /** The certificate for https: the one of the settings, else one that this device has made for itself. */
  webCertificate(): Promise<WebCertificate>
}

/** Programs that embed a peer may set every setting and where log lines go. */
export interface PeerOptions {
  home?: string | undefined
  settings?: Partial<SettingsValues> | undefined
  onLog?: ((level: LogLevel, line: Record<string, unknown>) => void) | undefined
  /** A code to join before `start` resolves; a refused one fails and makes no home. */
  join?: string | undefined
  /** The code of a recovery paper: a home without a pool becomes a device of that one before `start` resolves. */
  recover?: string | undefined
  /** A file of `export`: a home without keys becomes that device before `createPeer` resolves. */
  restore?: string | undefined
}
