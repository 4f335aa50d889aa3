/** Devices of a pool for tests: real stores over a disk in memory, invites by the real code. */
import { createLog, type Log } from '../src/base/log.ts'
import type { DeviceId, EntryId, FolderId, RecordHash } from '../src/base/words.ts'
import { checkWelcome, Invites, joinRequest } from '../src/access/invite.ts'
import { parseInvite, type InviteKind } from '../src/access/invite-code.ts'
import { deviceOfKeys, type PoolKeys } from '../src/access/device-keys.ts'
import { newPool } from '../src/access/new-pool.ts'
import { openCatalogue } from '../src/access/open-catalogue.ts'
import type { OpenedCatalogue } from '../src/access/opened-catalogue.ts'
import { peerIdOf } from '../src/access/peer-id.ts'
import { newSigningKey } from '../src/codec/sign.ts'
import type { VersionBody } from '../src/codec/version-body.ts'
import { categoryOf } from '../src/files/mime.ts'
import { checkPath } from '../src/files/paths.ts'
import type { LocalStore } from '../src/store/local-store.ts'
import { openStore, type StoreOptions } from '../src/store/open-store.ts'
import type { EntryRow } from '../src/store/view.ts'
import { ManualClock } from './manual-clock.ts'
import { SeededRandom } from './sim/seeded-random.ts'
import { SimDisk } from './sim/sim-disk.ts'
import { WelcomeInMemory } from './welcome-in-memory.ts'

export const naming = { checkPath, categoryOf }

/** A device: keys, disk, store and catalogue. */
export class PoolDevice {
  readonly keys: PoolKeys
  readonly disk: SimDisk
  readonly world: PoolWorld
  readonly warnings: string[] = []
  store!: LocalStore
  catalogue!: OpenedCatalogue
  invites!: Invites

  constructor(world: PoolWorld, keys: PoolKeys) {
    this.world = world
    this.keys = keys
    this.disk = new SimDisk(world.random.fork())
  }

  get id(): DeviceId {
    return deviceOfKeys(this.keys)
  }

  /** Opens, or opens again with an empty index: every time the database is built anew. */
  async open(elsewhere: Partial<StoreOptions> = {}): Promise<this> {
    const { clock, random } = this.world
    const log = this.#log()
    const peer = peerIdOf(this.keys.secrets.peer.publicKey)
    const place = { disk: this.disk, folder: '/segments', database: ':memory:', threaded: false }
    const pool = { pool: this.keys.pool, peer, contributed: 2 ** 30 }
    this.store = await openStore({ ...place, ...pool, clock, random, log, ...elsewhere })
    return this.openCatalogue()
  }

  /** Opens the catalogue, or another one over the same store. */
  async openCatalogue(): Promise<this> {
    const { keys, store, world } = this
    const { clock, random } = world
    this.catalogue = await openCatalogue({ store, keys, clock, random, log: this.#log(), naming })
    this.invites = new Invites({
      catalogue: this.catalogue,
      store,
      clock,
      random,
      poolSecret: keys.poolSecret,
    })
    return this
  }

  #log(): Log {
    return createLog((level, message) => void (level === 'warn' && this.warnings.push(message)))
  }

  async close(): Promise<void> {
    await this.catalogue.close()
    await this.store.close()
  }

  /** Makes another device a member, as `peer/` does it. */
  async invite(kind: InviteKind = 'device', name: string = kind): Promise<PoolDevice> {
    const { code } = await this.invites.create(kind, ['/ip4/127.0.0.1/tcp/8081'])
    const joining = joinRequest(parseInvite(code), newSigningKey(this.world.random), name, this.world.random)
    const place = new WelcomeInMemory()
    const keys = await checkWelcome(joining, await this.invites.redeem(joining.request), place)
    const device = await new PoolDevice(this.world, keys).open()
    await device.catalogue.admit(place.batches)
    this.world.devices.push(device)
    return device
  }

  /** All batches this device holds, in order of arrival. */
  async batches(): Promise<Uint8Array[]> {
    const { batches } = this.store.read.changes(0, 1_000_000)
    const bytes: Uint8Array[] = []
    for (const last of batches) bytes.push((await this.store.batch(last)).bytes)
    return bytes
  }

  get files(): FolderId {
    return this.catalogue.folderNamed('files')!.id
  }

  async put(path: string, more: Partial<{ entry: EntryId; parents: RecordHash[]; folder: FolderId }> = {}) {
    const [written] = await this.catalogue.write([
      {
        folder: more.folder ?? this.files,
        parents: more.parents ?? [],
        entry: more.entry,
        body: bodyOf(path),
        chunks: [],
      },
    ])
    return written!
  }

  shown(path: string): EntryRow | undefined {
    return this.store.read.entryAt(this.files, path)
  }

  /** Everything people see of a folder, in one text. */
  view(folder: FolderId = this.files): string {
    const { entries } = this.store.read.tree(folder, '', undefined, 100_000)
    const lines = entries.map(({ path, version, status, conflicts, shadowed, versions }) =>
      JSON.stringify([path, version, status, [...conflicts].sort(), shadowed, versions]),
    )
    const held = this.store.read.held(folder).map(({ version }) => `held ${version}`)
    return [...lines.sort(), ...held.sort()].join('\n')
  }
}

/** Devices that share a clock and a seed; they talk only when a test says so. */
export class PoolWorld {
  readonly clock = new ManualClock()
  readonly random: SeededRandom
  readonly devices: PoolDevice[] = []

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
  }

  async found(): Promise<PoolDevice> {
    const keys = newPool(newSigningKey(this.random), this.clock, this.random)
    const founder = await new PoolDevice(this, keys).open()
    this.devices.push(founder)
    return founder
  }

  /** Every device gets what every other holds, until nobody learns anything. */
  async sync(devices: readonly PoolDevice[] = this.devices): Promise<void> {
    for (let added = 1; added > 0;) {
      added = 0
      for (const from of devices)
        for (const to of devices)
          if (from !== to) added += (await to.catalogue.admit(await from.batches())).added
    }
  }

  async close(): Promise<void> {
    for (const device of this.devices) await device.close()
  }
}

/** An empty file's body. */
export function bodyOf(path: string): VersionBody {
  return {
    kind: 'file',
    path,
    mode: 0o644,
    modified: 1,
    created: 1,
    size: 0,
    hash: Buffer.alloc(32, 7),
    content: { form: 'inline', chunks: [] },
    type: 'text/plain',
    tags: [],
    description: '',
  }
}
