/**
 * A peer out of real parts: this process's clock, chance and disk, worker threads, libp2p. Everything
 * below `peer/` gets these as parameters; create-core.ts puts the rooms together.
 */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { loadPeerKey } from '../access/device-keys.ts'
import { realClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { systemRandom } from '../base/random.ts'
import type { PeerId, Role } from '../base/words.ts'
import { Budget } from '../codec/budget.ts'
import type { CompressionLevel } from '../codec/codec.ts'
import { ThumbnailProcess } from '../codec/thumbnailer.ts'
import { WorkerCodec } from '../codec/worker-codec.ts'
import { Libp2pNetwork } from '../net/libp2p-network.ts'
import { realDisk } from '../store/real-disk.ts'
import { openHome, type Home } from './home.ts'
import { keptPort } from './kept-port.ts'
import { openLog, type PeerLog } from './log.ts'
import { openSettings } from './open-settings.ts'
import type { Peer, PeerOptions } from './peer.ts'
import { RunningPeer, type RunningParts } from './running-peer.ts'
import { defaultHome } from './run-file.ts'
import { beginRestore, endRestore } from './restore.ts'
import type { Settings } from './settings.ts'
import { programVersion } from './version.ts'

/** Locks the home and reads its settings; `start` does the rest. Fails with `HOME_LOCKED` or `SETTING_…`. */
export async function createPeer(options: PeerOptions = {}): Promise<Peer> {
  const home = await openHome(options.home ?? defaultHome())
  try {
    const restoring = options.restore === undefined ? undefined : await beginRestore(home, options.restore)
    const settings = await openSettings({
      flags: options.settings ?? {},
      environment: process.env,
      file: home.config,
    })
    const log = openLog({ level: settings.get('log'), file: settings.get('log-file'), onLog: options.onLog })
    if (restoring !== undefined) {
      const storage = storageOf(home, settings)
      const real = { disk: realDisk, clock: realClock, random: systemRandom, log: log.log }
      await endRestore({ ...real, home, storage }, restoring)
    }
    return new RunningPeer(await realParts(home, settings, log), options)
  } catch (thrown) {
    await home.discard()
    throw thrown
  }
}

const storageOf = (home: Home, settings: Settings): string =>
  settings.get('storage') ?? join(home.folder, 'segments')

async function realParts(home: Home, settings: Settings, { log, setLevel }: PeerLog): Promise<RunningParts> {
  const peerKey = await loadPeerKey(home.folder, systemRandom)
  let roleOf: (peer: PeerId) => Role = () => 'stranger'
  const network = new Libp2pNetwork({
    privateKey: peerKey.seed,
    host: settings.get('host'),
    port: settings.get('peer-port'),
    keptPort: keptPort(home.folder),
    clock: realClock,
    random: systemRandom,
    log,
    roleOf: (peer) => roleOf(peer),
    mdns: settings.get('mdns'),
    bootstrap: settings.get('bootstrap'),
    advertise: settings.get('advertise'),
    dialTimeoutMs: settings.get('net.dial_timeout'),
    requestTimeoutMs: settings.get('net.request_timeout'),
    retries: settings.get('net.retries'),
  })
  return {
    home,
    settings,
    peerKey,
    network,
    useRoles: (lookUp) => (roleOf = lookUp),
    setLogLevel: setLevel,
    disk: realDisk,
    clock: realClock,
    random: systemRandom,
    log,
    codec: new WorkerCodec(),
    thumbnailer: new ThumbnailProcess(realClock),
    storage: storageOf(home, settings),
    database: home.database,
    threaded: true,
    self: {
      name: () => settings.get('name') ?? hostname(),
      zone: () => settings.get('zone'),
      client: () => settings.get('client'),
      version: programVersion,
    },
    contributed: () => settings.get('contribute'),
    compression: () => settings.get('compression') as CompressionLevel,
    repairGraceMs: settings.get('repair.grace'),
    scrubCycleMs: () => settings.get('scrub.cycle'),
    sourcesAtOnce: () => settings.get('transfer.parallel'),
    collectionTimes: () => ({
      firstMs: settings.get('gc.first'),
      everyMs: settings.get('gc.every'),
      quarantineMs: settings.get('gc.quarantine'),
    }),
    budget: new Budget(limits.bulkBytes),
  }
}
