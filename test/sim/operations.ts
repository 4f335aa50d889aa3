/** What people do on their devices, and what must be true of each answer they get. */
import { PeerStorError } from '../../src/base/errors.ts'
import type { EntryRow } from '../../src/store/view.ts'
import { contentOf, drawPath, drawSize, inPieces, nameMark, numberOf } from './content.ts'
import { holds, type Acknowledged } from './ledger.ts'
import { littleSpace, plentySpace, PropertyBroken, type Scene } from './scene.ts'
import type { OperationKind } from './profile.ts'
import type { SimPeer } from './sim-peer.ts'

/** Answers that are no fault: what people asked for was not there, not allowed, or not possible now. */
const refusals = new Set([
  'NOT_FOUND',
  'IS_FOLDER',
  'ALREADY_EXISTS',
  'BAD_PATH',
  'BAD_RANGE',
  'FORBIDDEN',
  'KEY_UNAVAILABLE',
  'QUOTA_FULL',
  'DISK_FULL',
  'STORAGE_FAILED',
  'CHUNK_UNAVAILABLE',
  'CHUNK_DAMAGED',
  'RETIRE_ALONE',
  'RETIRE_KEYS',
])

/** What a device may also say whose disk has rotted: what it kept is not whole. */
const refusalsOfRotten = new Set([
  'SEGMENT_DAMAGED',
  'INVITE_REFUSED',
  'RECORD_INVALID',
  'RECORD_UNKNOWN',
  'BAD_INPUT',
])

export class Operations {
  readonly #scene: Scene
  readonly #running = new Set<Promise<void>>()
  #contents = 0
  #collecting = false
  #revocations = 0

  constructor(scene: Scene) {
    this.#scene = scene
  }

  get running(): number {
    return this.#running.size
  }

  /** Resolves when every operation has an answer or died with its peer. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }

  /** Begins one operation on some peer; false when none runs. */
  begin(kind: OperationKind): boolean {
    const { random, peers, profile } = this.#scene
    const able = this.#scene.running(peers).filter(({ kind }) => kind === 'device')
    const unrevoked = able.filter(({ revoked }) => !revoked)
    // A revoked device goes on as if nothing had happened, now and then.
    const from = random.chance(0.9) && unrevoked.length > 0 ? unrevoked : able
    if (from.length === 0) return false
    const peer = random.pick(from)
    const path = drawPath(random, profile.paths)
    this.#scene.count('operations')
    this.#scene.count(`operation: ${kind}`)
    if (kind !== 'concurrent puts') this.#run(kind, peer, path)
    else for (const one of random.shuffled(unrevoked).slice(0, 2)) this.#run('put', one, path)
    return true
  }

  #run(kind: OperationKind, peer: SimPeer, path: string): void {
    const run = this.#told(kind, peer, path)
    this.#running.add(run)
    const over = (): boolean => this.#running.delete(run)
    run.then(over, over)
  }

  async #told(kind: OperationKind, peer: SimPeer, path: string): Promise<void> {
    const outcome = this.#do(kind, peer, path).catch((error: unknown) => this.#refused(kind, peer, error))
    const told = await Promise.race([outcome, peer.ended])
    this.#scene.note(`${kind} ${peer.name} ${path}: ${told ?? 'died'}`)
  }

  #refused(kind: OperationKind, peer: SimPeer, error: unknown): string {
    if (error instanceof PropertyBroken) this.#scene.fail(error)
    else if (error instanceof PeerStorError && this.#mayRefuse(peer, error.code)) {
      this.#scene.count(`refused: ${error.code}`)
      return error.code
    } else if (kind === 'collect' && isUnreadable(peer, error)) return 'EIO'
    else if (peer.alive) {
      const { stack, message } = error as Error
      this.#scene.break(
        'no operation fails for an inner reason',
        `${kind} on ${peer.name}: ${stack ?? message}`,
      )
    }
    return String(error)
  }

  #mayRefuse(peer: SimPeer, code: string): boolean {
    return refusals.has(code) || (peer.rotten && refusalsOfRotten.has(code))
  }

  async #do(kind: OperationKind, peer: SimPeer, path: string): Promise<string> {
    const { files } = peer.core!
    switch (kind) {
      case 'read':
        return this.#read(peer, path)
      case 'list':
        return `${(await files.list('files', { recursive: true })).entries.length} lines`
      case 'move':
        return this.#move(peer, path)
      case 'remove':
        return this.#remove(peer, path)
      case 'restore':
        return this.#restore(peer, path)
      case 'new folder':
        return this.#newFolder(peer, path)
      case 'invite':
        return this.#invite(peer)
      case 'revoke':
        return this.#revoke(peer)
      case 'collect':
        return this.#collect(peer)
      case 'resize':
        return this.#resize(peer)
      case 'retire':
        return this.#retire(peer)
      default:
        return this.#put(peer, path)
    }
  }

  // Writing

  async #put(peer: SimPeer, path: string): Promise<string> {
    const { random, clock } = this.#scene
    const begun = clock.monotonicMs()
    const number = (this.#contents += 1)
    const bytes = contentOf(number, drawSize(random))
    const before = this.#shown(peer, path)
    const size = random.chance(0.5) ? bytes.length : undefined
    const put = await peer.core!.files.put(path, inPieces(bytes, random), { size })
    const row = this.#rowAfter(peer, put.version)
    // Somebody else may have written in between: then the writer replaced what it saw last.
    const replaced = before !== undefined && row?.entry === before.entry ? headsOf(before) : []
    this.#acknowledge({ version: put.version, path, peer, content: number, removed: false, replaced, begun })
    this.#scene.count('acknowledged files')
    this.#scene.count('acknowledged bytes', bytes.length)
    return `${put.version} content ${number}`
  }

  async #move(peer: SimPeer, path: string): Promise<string> {
    const { random, profile, clock } = this.#scene
    const begun = clock.monotonicMs()
    const before = this.#shown(peer, path)
    const to = drawPath(random, profile.paths)
    const { moved } = await peer.core!.files.move(path, to)
    const row = before && this.#changed(peer, before, 'move')
    if (row?.path === inFolder(to) && row.kind === 'file') this.#acknowledgeRow(peer, row, to, before!, begun)
    return `${moved} to ${to}`
  }

  async #remove(peer: SimPeer, path: string): Promise<string> {
    const begun = this.#scene.clock.monotonicMs()
    const before = this.#shown(peer, path)
    await peer.core!.files.remove(path)
    const row = before && this.#changed(peer, before, 'remove')
    if (row?.kind === 'removed') this.#acknowledgeRow(peer, row, path, before!, begun)
    return 'removed'
  }

  async #restore(peer: SimPeer, path: string): Promise<string> {
    const { random, clock } = this.#scene
    const begun = clock.monotonicMs()
    const versions = (await peer.core!.files.versions(path)).filter(({ kind }) => kind === 'file')
    if (versions.length === 0) return 'nothing to restore'
    const { version } = random.pick(versions)
    const content = this.#scene.ledger.acknowledged.get(version)?.content
    const restored = await peer.core!.files.restore(path, { version })
    if (content !== undefined)
      this.#acknowledge(
        {
          version: restored.version,
          path,
          peer,
          content,
          removed: false,
          replaced: [],
          begun,
        },
        version,
      )
    return `${version} as ${restored.version}`
  }

  async #newFolder(peer: SimPeer, path: string): Promise<string> {
    await peer.core!.files.makeFolder(`${path} ${nameMark} folder`)
    return 'made'
  }

  // Reading

  async #read(peer: SimPeer, path: string): Promise<string> {
    const before = this.#scene.disturbances
    const row = this.#shown(peer, path)
    const reachable = row !== undefined && this.#isReachable(peer, row)
    try {
      const told = await readFile(this.#scene, peer, path)
      this.#scene.count('reads')
      return told
    } catch (error) {
      const quiet = before === this.#scene.disturbances && this.#scene.world.loss === 0
      const unavailable = error instanceof PeerStorError && error.code === 'CHUNK_UNAVAILABLE'
      if (unavailable && quiet && peer.running && reachable && this.#isReachable(peer, row))
        throw new PropertyBroken(
          'what was acknowledged is readable while one holder lives',
          `${path} on ${peer.name}: ${error.message}`,
        )
      throw error
    }
  }

  /** Whether every chunk lies here or on a peer that both know and are connected to. */
  #isReachable(peer: SimPeer, row: EntryRow): boolean {
    const chunks = peer.core!.store.read.contentOf(row.version)
    if (chunks === undefined) return false
    const others = this.#scene
      .running(this.#scene.dependable(peer))
      .filter(({ id }) => peer.network!.isConnected(id) && this.#scene.world.reach(peer.id, id))
      .filter((other) => areMembers(peer, other))
    return chunks.every((id) => [peer, ...others].some((one) => holds(one, id)))
  }

  // Devices

  async #invite(peer: SimPeer): Promise<string> {
    const { profile, peers } = this.#scene
    if (peer.revoked || peers.length >= profile.peers) return 'not now'
    const joined = await this.#scene.invite(peer)
    // Its inviter was cut off meanwhile, perhaps before this: what counts is known at the end.
    joined.revoked = peer.revoked
    return `${joined.name}, a ${joined.kind}`
  }

  async #revoke(author: SimPeer): Promise<string> {
    const { random, ledger } = this.#scene
    const most = this.#scene.unrevoked().length - 3
    const targets = this.#scene.unrevoked().filter((peer) => peer !== author && peer !== this.#scene.peers[0])
    if (author.revoked || most <= 0 || this.#revocations >= 2 || targets.length === 0) return 'not now'
    this.#revocations += 1
    const target = random.pick(targets)
    if (author.core!.catalogue.deviceOf(target.id) === undefined) return 'not known here'
    // From here on nothing counts on it; whether it is really cut off is known when the call returns.
    target.revoked = true
    ledger.revoke(target, author, this.#scene.dependable(target))
    this.#scene.disturbances += 1
    const fallen = await author.core!.catalogue.revoke([target.device])
    for (const { device } of fallen) {
      const peer = this.#scene.peers.find((peer) => peer.device === device)
      if (peer === undefined) continue
      if (peer !== target) ledger.revoke(peer, author, this.#scene.dependable(peer))
      this.#cutOff(peer, author)
    }
    // With them fall those whom they let in and the author has not heard of yet.
    for (const peer of this.#scene.unrevoked())
      if (peer.invitedBy?.revoked === true && author.core!.catalogue.deviceOf(peer.id) === undefined) {
        ledger.revoke(peer, author, this.#scene.dependable(peer))
        this.#cutOff(peer, author)
      }
    this.#scene.count('revoked devices', fallen.length)
    return fallen.map(({ name }) => name).join(', ')
  }

  #cutOff(peer: SimPeer, author: SimPeer): void {
    peer.revoked = true
    peer.revokedBy = author
    peer.revokedAt = this.#scene.clock.monotonicMs()
  }

  /** Contributes less than it keeps, a little, or much. */
  async #resize(peer: SimPeer): Promise<string> {
    const { random } = this.#scene
    if (peer.revoked) return 'not now'
    const part = Math.floor(peer.space * (0.3 + random.number() * 0.6))
    await peer.resize(random.pick([part, part, littleSpace, plentySpace, plentySpace / 4]))
    this.#scene.count('resizes')
    return `${peer.contributed} bytes`
  }

  /** One device at a time goes, and perhaps changes its mind. */
  async #retire(peer: SimPeer): Promise<string> {
    const going = this.#scene.running(this.#scene.peers).filter((one) => isRetiring(one))
    const [first] = going
    if (first !== undefined) {
      await first.core!.retirement.cancel()
      return `${first.name} stays`
    }
    if (peer.revoked || this.#scene.unrevoked().length < 4) return 'not now'
    const { phase } = await peer.core!.retirement.begin()
    return phase
  }

  /** A holder drops chunks that two others have, then gives the space back; repair brings them back. */
  async #collect(peer: SimPeer): Promise<string> {
    if (this.#collecting || peer.revoked || peer.rotten) return 'not now'
    this.#collecting = true
    const free = (): void => void (this.#collecting = false)
    peer.ended.then(free, free)
    try {
      const others = this.#scene.dependable(peer)
      const surplus = [...this.#scene.ledger.acknowledged.values()]
        .flatMap(({ chunks }) => chunks)
        .filter((id) => holds(peer, id) && others.filter((other) => holds(other, id)).length >= 2)
      const drops = [...new Set(surplus)]
        .filter(() => this.#scene.random.chance(0.7))
        .filter((id) => !peer.core!.pool.isPromised(id))
      peer.collecting = true
      await peer.core!.store.chunks.drop(drops).finally(() => (peer.collecting = false))
      peer.core!.pool.announce()
      while ((await peer.core!.store.compact(new AbortController().signal)) > 0)
        this.#scene.count('compactions')
      return `${drops.length} chunks`
    } finally {
      this.#collecting = false
    }
  }

  // What a peer shows

  #shown(peer: SimPeer, path: string): EntryRow | undefined {
    const { catalogue, store } = peer.core!
    const folder = catalogue.folderNamed('files')
    return folder && store.read.entryAt(folder.id, inFolder(path))
  }

  /** What an entry shows after a change that was told to be done. */
  #changed(peer: SimPeer, { folder, entry, version }: EntryRow, change: string): EntryRow | undefined {
    const row = peer.core!.store.read.entry(folder, entry)
    if (row?.version === version && peer.running)
      throw new PropertyBroken(
        'what is told to be done is done',
        `a ${change} on ${peer.name} left ${version}`,
      )
    return row
  }

  #rowAfter(peer: SimPeer, version: Acknowledged['version']): { entry: string } | undefined {
    const row = peer.core!.store.read.version(version)
    if (row === undefined && peer.running)
      throw new PropertyBroken(
        'no acknowledged version disappears',
        `${version} is not on ${peer.name} at once`,
      )
    return row
  }

  #acknowledgeRow(peer: SimPeer, row: EntryRow, path: string, before: EntryRow, begun: number): void {
    const known = this.#scene.ledger.acknowledged.get(before.version)
    const content = row.kind === 'file' ? known?.content : undefined
    if (row.kind === 'file' && content === undefined) return
    const { version } = row
    const replaced = row.version === before.version ? [] : headsOf(before)
    this.#acknowledge(
      { version, path, peer, content, removed: row.kind === 'removed', replaced, begun },
      before.version,
    )
  }

  #acknowledge(one: Omit<Acknowledged, 'chunks'>, source?: Acknowledged['version']): void {
    // What a revoked device is told is between it and its disk.
    if (one.peer.revoked) return void one.peer.lateVersions.set(one.version, one.begun)
    // Bits that turned between writing and syncing: no disk is safe from that.
    if (one.begun <= (one.peer.rottenAt ?? -1)) return
    const chunks = one.peer.core!.store.read.contentOf(one.version) ?? []
    this.#scene.ledger.add({ ...one, chunks }, source)
    this.#scene.count('acknowledged versions')
  }
}

/** Whether a device says that it goes. */
export function isRetiring(peer: SimPeer): boolean {
  return peer.core!.retirement.state().phase !== 'active'
}

/** Reads a file whole and compares it with what was put; the number of its content. */
export async function readFile(
  scene: Scene,
  peer: SimPeer,
  path: string,
  version?: Acknowledged['version'],
): Promise<string> {
  const download = await peer.core!.files.get(path, { version })
  const parts: Uint8Array[] = []
  for await (const part of download.bytes) parts.push(part)
  const number = numberOf(Buffer.concat(parts))
  const expected = scene.ledger.acknowledged.get(download.version)?.content
  if (number === undefined || (expected !== undefined && expected !== number))
    throw new PropertyBroken(
      'what is read is what was put',
      `${path} version ${download.version} on ${peer.name} is content ${number}, not ${expected}`,
    )
  return `content ${number} from ${download.sources().length} peers`
}

/** Path inside its folder. */
export function inFolder(path: string): string {
  return path.slice(path.indexOf('/') + 1)
}

function headsOf(row: EntryRow): Acknowledged['replaced'] {
  return [row.version, ...row.conflicts]
}

function areMembers(a: SimPeer, b: SimPeer): boolean {
  const roles = ['storage', 'member', 'admin']
  return [
    [a, b],
    [b, a],
  ].every(([one, other]) => roles.includes(one!.core!.catalogue.roleOf(other!.id)))
}

/** What a segment to be moved cannot be read for: it stays where it is, until another day. */
function isUnreadable({ disk }: SimPeer, error: unknown): boolean {
  return disk.failRead > 0 && (error as { code?: unknown }).code === 'EIO'
}
