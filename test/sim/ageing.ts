/**
 * Months pass in a pool that is well: versions and trash end, members release, holders drop. What shows stays
 * readable everywhere, and of all else no byte stays on a disk.
 */
import { asPeerStorError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import type { ChunkId } from '../../src/base/words.ts'
import type { LocalStore } from '../../src/store/local-store.ts'
import { readFile } from './operations.ts'
import { PropertyBroken, type Scene } from './scene.ts'
import type { SimPeer } from './sim-peer.ts'

const minute = 60_000
const day = 24 * 60 * minute
const last = 'f'.repeat(64) as ChunkId

export async function growOld(scene: Scene): Promise<void> {
  const before = bytesOf(scene)
  scene.isOld = true
  await pass(scene, limits.keepMs + day)
  for (const ms of [day, limits.quarantineMs + day, limits.releaseOthersMs + day]) {
    if (scene.broken !== undefined) return
    await pass(scene, ms)
  }
  // What was pinned again meanwhile waits anew.
  for (let round = 0; round < 4 && !isClean(scene); round++) await pass(scene, limits.quarantineMs + day)
  if (scene.broken !== undefined) return
  await scene.clock.until(readAll(scene), 60 * minute)
  const collected = before - bytesOf(scene)
  scene.count('pools that grew old')
  scene.count('bytes collected', collected)
  for (const peer of scene.running(scene.unrevoked())) checkDisk(scene, peer)
}

/** So much later by all clocks, and the work that is due then. */
async function pass(scene: Scene, ms: number): Promise<void> {
  scene.clock.jump(ms)
  for (let step = 0; step < 3; step++) {
    for (const peer of scene.running(scene.peers)) peer.core!.workers.wake('retention')
    await scene.clock.advance(8 * minute)
  }
}

async function readAll(scene: Scene): Promise<void> {
  for (const peer of scene.running(scene.members()))
    for (const { path, kind } of (await peer.core!.files.list('files', { recursive: true })).entries) {
      if (kind !== 'file' || !isPromised(scene, peer, path)) continue
      try {
        await readFile(scene, peer, path, undefined)
        scene.count('reads when old')
      } catch (error) {
        if (error instanceof PropertyBroken) throw error
        scene.break(
          'no chunk that a version needs is dropped',
          `${path} on ${peer.name}: ${asPeerStorError(error).message}`,
        )
      }
    }
}

/** Whether somebody was told that the version that shows is safe. */
function isPromised(scene: Scene, peer: SimPeer, path: string): boolean {
  const folder = peer.core!.catalogue.folderNamed('files')!
  const row = peer.core!.store.read.entryAt(folder.id, path.slice('files/'.length))
  const one = row && scene.ledger.acknowledged.get(row.version)
  return one !== undefined && scene.ledger.readable().includes(one)
}

/** What nothing needs is gone; a device that reads all folders knows. */
function checkDisk(scene: Scene, peer: SimPeer): void {
  const { here, useless } = uselessOn(scene, peer)
  scene.count('chunks on old disks', here)
  if (useless.length > 0)
    scene.break(
      'what nothing needs is gone',
      `${useless.length} of ${here} chunks on ${peer.name}, ${useless[0]}`,
    )
}

function isClean(scene: Scene): boolean {
  return scene.running(scene.unrevoked()).every((peer) => uselessOn(scene, peer).useless.length === 0)
}

function uselessOn(scene: Scene, peer: SimPeer): { here: number; useless: ChunkId[] } {
  const judge = scene.running(scene.members())[0]?.core
  const { read } = peer.core!.store as LocalStore
  const here = read.idsBetween('0'.repeat(64) as ChunkId, last, 1_000_000)
  // While the chunks of a version are unknown, of a file that was lost, nothing in its folder is released.
  const knows = judge?.catalogue.folders().every(({ id }) => judge.store.read.isWhole(id))
  if (judge === undefined || knows !== true) return { here: here.length, useless: [] }
  return { here: here.length, useless: here.filter((id) => !judge.store.read.isNeeded(id)) }
}

function bytesOf(scene: Scene): number {
  return scene.running(scene.peers).reduce((sum, { space }) => sum + space, 0)
}
