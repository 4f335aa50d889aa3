/** contract.md `simulate lose`: which files would survive without some devices, by what this device knows of holders. */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { FolderId, PeerId } from '../base/words.ts'
import type { Core } from './create-core.ts'
import { deviceNamed, nameOf } from './devices.ts'
import type { LossAnswer, LossQuery } from './peer.ts'

/** Files looked at in one go: a few milliseconds. */
const stepFiles = 250
const limitDefault = 100
/** Where the next page begins: a folder, and the number of an entry in it. */
const cursorForm = /^([0-9a-f]{64})\.(\d{1,15})$/

export async function simulateLoss(core: Core, query: LossQuery, clock: Clock): Promise<LossAnswer> {
  const lost = query.lose.map((name) => deviceNamed(core.catalogue, name))
  const gone = new Set(lost.map(({ peer }) => peer))
  const left = core.pool.countedPeers().filter((peer) => !gone.has(peer))
  const { safe, degraded, lost: files } = await core.safety.countAmong(left, 1)
  return {
    devices: lost.map((device) => ({ device: device.device, name: nameOf(device) })),
    survive: safe,
    unknown: degraded,
    lost: files,
    keys: keysSurvive(core, new Set(lost.map(({ device }) => device))),
    ...(await lostFiles(core, left, query, clock)),
  }
}

/** Whether a device of this owner that is left, or a paper, can open the folders. */
function keysSurvive({ catalogue }: Core, lost: ReadonlySet<string>): boolean {
  return catalogue
    .devices()
    .filter(({ user, revoked, device }) => user === catalogue.user && !revoked && !lost.has(device))
    .some(({ kind, printed }) => kind === 'device' || printed)
}

async function lostFiles(
  { store, catalogue }: Core,
  left: readonly PeerId[],
  { cursor, limit = limitDefault }: LossQuery,
  clock: Clock,
): Promise<Pick<LossAnswer, 'entries' | 'next'>> {
  const entries: LossAnswer['entries'] = []
  const folders = catalogue.folders()
  const from = placeOf(cursor)
  const first = from === undefined ? 0 : folders.findIndex(({ id }) => id === from.folder)
  for (const [index, { id, name }] of folders.slice(Math.max(0, first)).entries()) {
    for (let after: number | undefined = index === 0 ? (from?.after ?? 0) : 0; after !== undefined;) {
      const step = store.read.lostAmong(id, left, after, stepFiles)
      for (const { n, path, size } of step.entries) {
        if (entries.length === limit) return { entries, next: `${id}.${after}` }
        entries.push({ path: `${name ?? id}/${path}`, size })
        after = n
      }
      after = step.next
      if (after !== undefined) await clock.sleep(0)
    }
  }
  return { entries }
}

function placeOf(cursor: string | undefined): { folder: FolderId; after: number } | undefined {
  if (cursor === undefined) return undefined
  const found = cursorForm.exec(cursor)
  if (found === null) throw fail('BAD_INPUT', { what: 'the cursor', reason: 'it is none of this list' })
  return { folder: found[1] as FolderId, after: Number(found[2]) }
}
