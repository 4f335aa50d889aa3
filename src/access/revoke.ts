/** What a revocation writes: new epochs without the fallen devices, then the cuts. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { DeviceId, RecordHash } from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { IndexReader } from '../store/index-reader.ts'
import type { CatalogueState } from './catalogue-state.ts'
import type { Draft } from './chain.ts'
import { revocationBody } from './record-bodies.ts'
import type { RevocationFact, Verdict } from './verdict.ts'

export interface RevocationPlan {
  drafts: Draft[]
  /** Devices that no longer count by it: those named and those that fall with them. */
  fallen: Set<DeviceId>
}

/**
 * Cuts devices at the last records held of them. A target that has itself revoked a device senior to
 * this author's act is cut before that: else its revocation would stand beside ours.
 */
export function planRevocation(
  state: CatalogueState,
  read: IndexReader,
  author: DeviceId,
  devices: readonly DeviceId[],
): RevocationPlan {
  const cuts = devices.map((device) => cutOf(state, read, author, device))
  const place = read.heads(author).reduce((most, head) => Math.max(most, head.position), 0) + 1
  const facts = cuts.map((cut, index): RevocationFact => {
    const hash = index.toString(16).padStart(64, '0') as RecordHash
    return { kind: 'revocation', hash, author, position: place, ...cut }
  })
  const fallen = fallenBy(state, state.authority.supposing(facts))
  if (devices.some((device) => !fallen.has(device)))
    throw fail('FORBIDDEN', {
      role: 'this device',
      action: 'revoke a device of another user or an earlier one',
    })
  const epochs = devices.includes(author) ? [] : newEpochs(state, fallen, author)
  return { fallen, drafts: [...epochs, ...cuts.map(({ target, heads }) => revocationDraft(target, heads))] }
}

type Cut = Pick<RevocationFact, 'heads'> & { target: { device: DeviceId; certificate: RecordHash } }

function cutOf(state: CatalogueState, read: IndexReader, author: DeviceId, device: DeviceId): Cut {
  const judged = state.authority.device(device)
  if (judged === undefined) throw fail('NOT_FOUND', { what: 'device', name: device })
  const hostile = state.authority
    .revocationsBy(device)
    .find(({ target }) => 'device' in target && target.device === author)
  const before = hostile && read.record(hostile.hash)?.head.previous
  const heads = hostile === undefined ? read.heads(device).map(({ hash }) => hash) : before ? [before] : []
  return {
    target: { device, certificate: judged.certificate },
    heads: heads.slice(0, limits.revocationHeads),
  }
}

function fallenBy(state: CatalogueState, supposed: Verdict): Set<DeviceId> {
  const stands = (judged: { counted: boolean; revoked: boolean } | undefined): boolean =>
    judged !== undefined && judged.counted && !judged.revoked
  return new Set(
    state.authority
      .devices()
      .filter((judged) => stands(judged) && !stands(supposed.devices.get(judged.device)))
      .map(({ device }) => device),
  )
}

/** One for each folder whose keys a fallen device was given. */
function newEpochs(state: CatalogueState, fallen: ReadonlySet<DeviceId>, author: DeviceId): Draft[] {
  const user = state.authority.device(author)?.user
  if (user === undefined) return []
  return [...state.ring.openFolders()]
    .filter((folder) => state.book.isMember(folder, user))
    .map((folder) => ({ folder, readers: state.readersOf(folder, fallen) }))
    .filter(({ folder, readers }) => state.ring.isExposed(folder, readers))
    .flatMap(({ folder, readers }) => state.ring.newEpoch(folder, readers).drafts)
}

function revocationDraft(target: Cut['target'], heads: readonly RecordHash[]): Draft {
  return { kind: 'revocation', body: encode(revocationBody, { ...target, heads: [...heads] }) }
}
