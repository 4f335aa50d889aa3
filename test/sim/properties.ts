/** What must be true once everything is well again and has come to rest. */
import { asPeerStorError } from '../../src/base/errors.ts'
import type { ChunkId, FolderId, RecordHash } from '../../src/base/words.ts'
import { hash } from '../../src/codec/hash.ts'
import { InlineCodec } from '../../src/codec/inline-codec.ts'
import { openNode, openRoot, walkManifest } from '../../src/codec/manifest.ts'
import type { ChunkRef, VerifiedBytes } from '../../src/codec/codec.ts'
import { decodeContent } from '../../src/codec/version-body.ts'
import type { IndexReader } from '../../src/store/index-reader.ts'
import type { VersionRow } from '../../src/store/view.ts'
import { markIn, numberOf } from './content.ts'
import { holds, type Acknowledged } from './ledger.ts'
import { readFile } from './operations.ts'
import { Process } from './process.ts'
import { copiesWanted, PropertyBroken, type Scene } from './scene.ts'
import { SimDisk } from './sim-disk.ts'
import { SimNetwork } from './sim-network.ts'
import type { SimPeer } from './sim-peer.ts'
import { batchesOf, lossBetween, surveyOf } from './survey.ts'

/** Files opened by their key alone, of each simulation. */
const keysTried = 12
/** Longest time that a healed pool needs to come to rest, and a check its answers. */
const restMs = 40 * 60_000
const checkMs = 3600_000

export class Properties {
  readonly #scene: Scene

  constructor(scene: Scene) {
    this.#scene = scene
  }

  /** Runs until all peers know the same and every chunk has its copies; what is not so after a long while never will be. */
  async comeToRest(): Promise<void> {
    const { clock } = this.#scene
    const endAt = clock.monotonicMs() + restMs
    let stepMs = 15_000
    while (this.#scene.broken === undefined) {
      await clock.advance(stepMs)
      this.#noteRevoked()
      const unrest = this.#unrest()
      if (unrest === undefined) return
      if (clock.monotonicMs() >= endAt) return this.#scene.break(...unrest)
      stepMs = Math.min(240_000, stepMs * 2)
    }
  }

  async check(): Promise<void> {
    const inTime = (run: () => Promise<void>) => (): Promise<void> => this.#scene.clock.until(run(), checkMs)
    for (const check of [
      async () => this.#nothingDisappeared(),
      () => this.#laterRecordsAreHeld(),
      async () => this.#headsShow(),
      inTime(() => this.#everythingIsReadable()),
      inTime(() => this.#keysOpenFiles()),
      async () => this.#disksAreSealed(),
      inTime(() => this.#lostDatabaseIsRebuilt()),
      inTime(() => this.#orderDoesNotMatter()),
    ])
      if (this.#scene.broken === undefined) await check()
  }

  /** Who is cut off stands in the records; a revocation that died with its author may stand or not. */
  #noteRevoked(): void {
    const votes = this.#scene.running(this.#scene.members())
    const [judge] = votes.filter(({ revokedAt }) => revokedAt === undefined)
    if (judge === undefined) return
    for (const peer of this.#scene.peers) {
      if (peer.revokedAt !== undefined) continue
      const role = judge.core!.catalogue.roleOf(peer.id)
      // Let in by a device after its cut: nobody ever hears of it.
      peer.revoked = role === 'ex-member' || (role === 'stranger' && peer.invitedBy?.revoked === true)
    }
  }

  #unrest(): [property: string, what: string] | undefined {
    const peers = this.#scene.unrevoked()
    const still = peers.find(({ running }) => !running)
    if (still !== undefined) return ['a peer starts again', still.name]
    return (
      this.#futureVersions() ??
      this.#differingRecords(peers) ??
      this.#differingViews() ??
      this.#missingCopies() ??
      this.#tooManyCopies() ??
      this.#tooMuchKept()
    )
  }

  #futureVersions(): [string, string] | undefined {
    const waits = this.#scene.members().find((peer) => peer.core!.store.read.future(1).length > 0)
    return waits && ['what was written in the future counts when its time has come', waits.name]
  }

  #differingRecords(peers: readonly SimPeer[]): [string, string] | undefined {
    const known = peers.map((peer) => ({ peer, text: recordsOf(peer.core!.store.read) }))
    const all = known.flatMap(({ text }) => text)
    for (const { peer, text } of known) {
      const has = new Set(text)
      const lacking = new Set(all.filter((hash) => !has.has(hash)))
      if (lacking.size === 0) continue
      const [hash] = lacking
      const holders = names(known.filter(({ text }) => text.includes(hash!)).map(({ peer }) => peer))
      return [
        'all peers come to hold the same records',
        `${peer.name} lacks ${lacking.size}, among them ${hash} that ${holders} hold`,
      ]
    }
    return undefined
  }

  #differingViews(): [string, string] | undefined {
    const views = this.#scene.members().map((peer) => ({ peer, lines: viewOf(peer) }))
    for (const { peer, lines } of views) {
      const at = lines.findIndex((line, index) => line !== views[0]!.lines[index])
      if (at < 0 && lines.length === views[0]!.lines.length) continue
      const [here, there] = [lines[at], views[0]!.lines[at]]
      return ['catalogues converge', `${peer.name}, then ${views[0]!.peer.name}: ${difference(here, there)}`]
    }
    return undefined
  }

  #missingCopies(): [string, string] | undefined {
    const keepers = this.#scene.unrevoked()
    // Cut off by somebody who was cut off himself, perhaps first: it may count all the same.
    const doubtful = this.#scene.peers.filter((peer) => peer.revoked && peer.revokedBy?.revoked === true)
    // Whoever was caught with wrong bytes gets no more for an hour.
    const open = keepers.filter((peer) => !peer.rotten && peer.contributed - peer.space >= fullBelow)
    for (const { chunks, path, version } of this.#scene.ledger.readable()) {
      for (const id of chunks) {
        const holders = [...keepers, ...doubtful].filter((peer) => holds(peer, id))
        const room = open.filter((peer) => !holders.includes(peer)).length
        const want = Math.min(3, keepers.length, holders.length + room)
        if (holders.length < want)
          return [
            'copies come back to what is wanted',
            `chunk ${id} of ${path} ${version} lies on ${names(holders)}, ${want} are wanted`,
          ]
      }
    }
    return undefined
  }

  /** Who was caught with wrong bytes is not relied on for an hour. */
  #isBalancing(): boolean {
    return !this.#scene.peers.some(({ rotten }) => rotten) && this.#scene.unrevoked().length > copiesWanted
  }

  #tooManyCopies(): [string, string] | undefined {
    if (!this.#isBalancing()) return undefined
    for (const { chunks, path } of this.#scene.ledger.readable())
      for (const id of chunks) {
        const holders = this.#scene.unrevoked().filter((peer) => holds(peer, id))
        if (holders.length > copiesWanted)
          return ['surplus copies are given up', `chunk ${id} of ${path} lies on ${names(holders)}`]
      }
    return undefined
  }

  /** A device whose contribution was made smaller gives away what is more, as long as others have room. */
  #tooMuchKept(): [string, string] | undefined {
    if (!this.#isBalancing()) return undefined
    const keepers = this.#scene.unrevoked()
    const over = keepers.find((peer) => peer.space > peer.contributed)
    if (over === undefined) return undefined
    const open = keepers.filter((peer) => peer.contributed - peer.space > over.space + 2 * fullBelow)
    return open.length < copiesWanted
      ? undefined
      : [
          'a device keeps no more than it contributes',
          `${over.name} keeps ${over.space} of ${over.contributed}`,
        ]
  }

  #nothingDisappeared(): void {
    for (const peer of this.#scene.members())
      for (const one of this.#scene.ledger.standing()) {
        const row = peer.core!.store.read.version(one.version)
        const kind = one.removed ? 'removed' : 'file'
        if (row?.status !== 'counted' || row.kind !== kind)
          return this.#scene.break(
            'no acknowledged version disappears',
            `${one.version} of ${one.path} is ${row?.status} ${row?.kind} on ${peer.name}`,
          )
      }
  }

  /** What shows is a version that no other counted one replaces, and the latest of those. */
  #headsShow(): void {
    const { read } = this.#scene.members()[0]!.core!.store
    for (const one of this.#scene.ledger.standing()) {
      const row = read.version(one.version)!
      const missing = one.replaced.find((version) => !row.parents.includes(version))
      if (missing !== undefined)
        return this.#scene.break('a write names what it replaces', `${one.version} does not name ${missing}`)
      const counted = read.versions(row.folder, row.entry).filter(({ status }) => status === 'counted')
      const replaced = new Set(counted.flatMap(({ parents }) => parents))
      const heads = counted.filter(({ version }) => !replaced.has(version))
      const [latest] = heads.sort(laterFirst)
      const shown = read.entry(row.folder, row.entry)
      if (shown?.version !== latest?.version)
        return this.#scene.break(
          'the latest version shows',
          `${shown?.version} shows, not ${latest?.version}`,
        )
      if (shown !== undefined && shown.conflicts.length !== heads.length - 1)
        return this.#scene.break('concurrent versions are both kept', `${one.path} has ${heads.length} heads`)
    }
  }

  /** Somebody carries everything that a revoked device wrote to a member; from there it spreads. */
  async #laterRecordsAreHeld(): Promise<void> {
    const cut = this.#scene.peers.filter(
      ({ revoked, revokedBy, running, rotten }) =>
        revoked && revokedBy?.revoked !== true && running && !rotten,
    )
    if (cut.length === 0) return
    const carrier = this.#scene.random.pick(this.#scene.members())
    for (const from of cut) await this.#scene.clock.until(carryOwn(from, carrier), checkMs)
    await this.comeToRest()
    this.#nothingDisappeared()
    for (const target of cut) this.#checkHeld(target)
  }

  #checkHeld({ revokedAt, lateVersions }: SimPeer): void {
    if (revokedAt === undefined) return
    const late = [...lateVersions].filter(([, begun]) => begun > revokedAt)
    this.#scene.count('later versions of revoked devices', late.length)
    for (const [version] of late)
      for (const peer of this.#scene.members())
        if (peer.core!.store.read.version(version)?.status === 'counted')
          return this.#scene.break(
            'later records of a revoked device are held back',
            `${version} counts on ${peer.name}`,
          )
  }

  async #everythingIsReadable(): Promise<void> {
    const members = this.#scene.members()
    for (const { version, path } of this.#scene.ledger.readable())
      await this.#readOne(this.#scene.random.pick(members), path, version)
    for (const peer of members) {
      const { entries } = await peer.core!.files.list('files', { recursive: true })
      for (const { path, kind } of entries) {
        const row = this.#shownBytes(peer, path)
        if (kind === 'file' && row !== undefined) await this.#readOne(peer, path, undefined)
      }
    }
  }

  /** The version that shows, when somebody was told that it is safe. */
  #shownBytes(peer: SimPeer, path: string): RecordHash | undefined {
    const folder = peer.core!.catalogue.folderNamed('files')!
    const row = peer.core!.store.read.entryAt(folder.id, path.slice('files/'.length))
    const one = row && this.#scene.ledger.acknowledged.get(row.version)
    return one !== undefined && this.#scene.ledger.readable().includes(one) ? row!.version : undefined
  }

  async #readOne(peer: SimPeer, path: string, version: RecordHash | undefined): Promise<void> {
    try {
      await readFile(this.#scene, peer, path, version)
      this.#scene.count('reads')
    } catch (error) {
      if (error instanceof PropertyBroken) throw error
      this.#scene.break(
        'what was acknowledged is readable while one holder lives',
        `${path} ${version ?? ''} on ${peer.name}: ${asPeerStorError(error).message}`,
      )
    }
  }

  /** Id and key of the root, or of the chunks in the body, open a file: no folder key is asked. */
  async #keysOpenFiles(): Promise<void> {
    const { read } = this.#scene.members()[0]!.core!.store
    const some = this.#scene.random.shuffled(this.#scene.ledger.readable()).slice(0, keysTried)
    for (const { version, content } of some) {
      const bytes = await this.#openByKey(read.version(version)!)
      this.#scene.count('files opened by their key alone')
      if (numberOf(bytes) !== content)
        return this.#scene.break('a file opens by its key alone', `${version} opens to something else`)
    }
  }

  async #openByKey({ content, size }: VersionRow): Promise<Buffer> {
    const codec = new InlineCodec()
    const decoded = decodeContent(content)
    const get = async ({ id }: Pick<ChunkRef, 'id'>): Promise<VerifiedBytes> =>
      codec.verify(id, await this.#bytesOf(id), 'a disk')
    const refs =
      decoded.form === 'inline'
        ? decoded.chunks
        : openRoot(decoded.root.id, decoded.root.ck, await get(decoded.root)).refs
    const refsOf = async (node: ChunkRef): Promise<ChunkRef[]> => openNode(node, await get(node))
    const parts: Uint8Array[] = []
    for await (const { ref } of walkManifest(refs, 0, size, refsOf))
      parts.push((await codec.open(ref, await get(ref))).bytes)
    return Buffer.concat(parts)
  }

  /** From any disk that has it undamaged. */
  async #bytesOf(id: ChunkId): Promise<Uint8Array> {
    for (const peer of this.#scene.unrevoked())
      for await (const { bytes } of peer.core!.store.chunks.get([id]))
        if (hash(bytes).toString('hex') === id) return bytes
    throw new PropertyBroken(
      'what was acknowledged is readable while one holder lives',
      `chunk ${id} lies nowhere`,
    )
  }

  #disksAreSealed(): void {
    for (const peer of this.#scene.peers)
      for (const path of peer.disk.paths()) {
        const found = markIn(peer.disk.bytesOf(path))
        if (found !== undefined)
          return this.#scene.break('disks hold sealed bytes only', `${found} in ${path}`)
      }
  }

  /** One peer ends, loses its index, and comes back with the same view. */
  async #lostDatabaseIsRebuilt(): Promise<void> {
    const sound = this.#scene.members().filter(({ rotten }) => !rotten)
    if (sound.length === 0) return
    const peer = this.#scene.random.pick(sound)
    const before = viewOf(peer)
    const survey = surveyOf(peer)
    await peer.stop()
    await peer.start()
    this.#compare('a lost database is rebuilt', peer, before, viewOf(peer))
    const lost = lossBetween(survey, peer)
    if (lost !== undefined) this.#scene.break('a lost database is rebuilt', `${peer.name} lost ${lost}`)
  }

  /** All records once more, one batch after the other in an order of chance, to an empty peer. */
  async #orderDoesNotMatter(): Promise<void> {
    const { random, clock, world } = this.#scene
    const sound = this.#scene.members().filter(({ rotten }) => !rotten)
    if (sound.length === 0) return
    const peer = random.pick(sound)
    const network = new SimNetwork(world, peer.id, () => 'stranger')
    const bytes = await batchesOf(peer)
    const process = new Process(clock, () => 0)
    const core = await peer.openCore({ process, disk: new SimDisk(random), network, random, genesis: [] })
    for (const batch of random.shuffled(bytes)) {
      const [refused] = (await core.catalogue.admit([batch])).refused
      if (refused !== undefined) this.#scene.break('the order of arrival does not matter', refused.reason)
    }
    const there = viewOf({ core } as SimPeer)
    await core.stop()
    this.#compare('the order of arrival does not matter', peer, viewOf(peer), there)
  }

  #compare(property: string, peer: SimPeer, before: readonly string[], after: readonly string[]): void {
    const at = before.findIndex((line, index) => line !== after[index])
    if (at < 0 && before.length === after.length) return
    const lines = `${before.length} lines, then ${after.length}`
    this.#scene.break(property, `${peer.name}, ${lines}: ${difference(before[at], after[at])}`)
  }
}

/** Gives `to` every record that `from` wrote. */
async function carryOwn(from: SimPeer, to: SimPeer): Promise<void> {
  for (const batch of await batchesOf(from, from.device)) await to.core!.catalogue.admit([batch])
  to.core!.pool.announce()
}

/** Below this much room a device says that it is full. */
const fullBelow = 4 * 64 * 1024

function recordsOf(read: IndexReader): RecordHash[] {
  return read
    .devices()
    .flatMap((device) => read.recordsOfDevice(device).map(({ hash }) => hash))
    .sort()
}

function names(peers: readonly SimPeer[]): string {
  return peers.map(({ name }) => name).join(' ')
}

/** Every version with what became of it, and what every entry shows, as lines to compare. */
function viewOf(peer: Pick<SimPeer, 'core'>): string[] {
  const { catalogue, store } = peer.core!
  const { read } = store
  const folders = catalogue.folders().map((folder) => JSON.stringify(folder))
  const devices = catalogue
    .devices()
    .map(({ device, role, revoked, name }) => JSON.stringify({ device, role, revoked, name }))
  const rows = catalogue.folders().flatMap(({ id }) => versionLines(read, id))
  return [...folders.sort(), ...devices.sort(), ...rows.sort()]
}

function versionLines(read: IndexReader, folder: FolderId): string[] {
  const hashes = read
    .devices()
    .flatMap((device) => read.recordsOfDevice(device))
    .filter(({ head }) => head.folder === folder)
    .map(({ hash }) => hash)
  const entries = new Set<string>()
  const lines = hashes.flatMap((version) => {
    const row = read.version(version)
    if (row === undefined) return []
    entries.add(row.entry)
    return [plain(row)]
  })
  const shown = [...entries].flatMap((entry) => {
    const row = read.entry(folder, entry as VersionRow['entry'])
    return row === undefined ? [] : [`shown ${plain(row)}`]
  })
  return [...lines, ...shown]
}

/** What two lines have in common is cut away, but for a little before. */
function difference(a: string | undefined, b: string | undefined): string {
  if (a === undefined || b === undefined) return `\n  ${a}\n  ${b}`
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  const show = (text: string): string => text.slice(Math.max(0, at - 60), at + 200)
  return `\n  ${a.slice(0, 90)} … ${show(a)}\n  ${b.slice(0, 90)} … ${show(b)}`
}

function plain(row: VersionRow): string {
  return JSON.stringify(row, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  )
}

function laterFirst(a: VersionRow, b: VersionRow): number {
  return b.time.ms - a.time.ms || b.time.counter - a.time.counter || (a.version < b.version ? 1 : -1)
}

export type { Acknowledged }
