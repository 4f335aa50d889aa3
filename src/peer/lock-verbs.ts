/**
 * `lock` and `unlock`: the private keys lie on the disk sealed by a passphrase or a file, and while the peer is
 * locked they are nowhere else. The file of keys changes in one rename, so a crash leaves one state or the other.
 */
import { join } from 'node:path'
import {
  loadPoolKeys,
  lockedKeys,
  lockKindOf,
  savePoolKeys,
  unlockPoolKeys,
  type PoolKeys,
} from '../access/device-keys.ts'
import { newLock, type LockSecret } from '../access/key-lock.ts'
import { fail } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { SigningKey } from '../codec/sign.ts'
import type { LockState, LockVerbs, Problem } from './peer.ts'

export interface LockParts {
  home: string
  peerKey: SigningKey
  random: Random
  keys: () => PoolKeys
  /** These are the keys of the open pool from now on. */
  useKeys: (keys: PoolKeys) => void
  /** Closes the pool and opens it again with these. */
  enter: (keys: PoolKeys) => Promise<void>
}

/** `changes` runs one change of the keys at a time. */
export function lockVerbs(parts: LockParts, changes: <T>(run: () => Promise<T>) => Promise<T>): LockVerbs {
  const told = async (run: () => Promise<void>): Promise<LockState> => {
    await changes(run)
    return stateOf(parts)
  }
  return {
    state: () => stateOf(parts),
    lock: (secret) => told(() => lock(parts, secret)),
    unlock: (secret) => told(() => unlock(parts, secret)),
    change: (secret, next) => told(() => change(parts, secret, next)),
    remove: (secret) => told(() => remove(parts, secret)),
  }
}

export function lockedWarning(keys: PoolKeys | undefined): Problem[] {
  if (keys?.locked !== true) return []
  const what = 'the keys of this peer are locked: it keeps sealed chunks for the others, and opens nothing'
  return [{ kind: 'locked', what, severity: 'warning', next: 'peerstor unlock' }]
}

/** A pool is left only with keys at hand, and those of another are not sealed by the same lock. */
export function requireNoLock(keys: PoolKeys | undefined): void {
  if (keys?.locked === true) throw fail('PEER_LOCKED')
  if (keys?.lock !== undefined) throw fail('LOCK_SET')
}

async function stateOf({ home, keys }: LockParts): Promise<LockState> {
  return { locked: keys().locked === true, kind: (await lockKindOf(home)) ?? null }
}

async function lock(parts: LockParts, secret: LockSecret | undefined): Promise<void> {
  const { home, keys, random, useKeys, enter } = parts
  if (keys().locked === true) return
  if (keys().lock === undefined) {
    const sealed = await withLock(parts, secret)
    await savePoolKeys(home, sealed, random)
    // Should the pool not open again, what is saved later stays sealed.
    useKeys(sealed)
  } else if (secret !== undefined) throw fail('LOCK_SET')
  const before = keys()
  await enter(lockedKeys(before))
  for (const { seed } of [before.secrets.record, before.secrets.encryption]) seed.fill(0)
  before.recoverySeed?.fill(0)
  before.lock?.key.fill(0)
}

async function withLock(
  { home, keys, random }: LockParts,
  secret: LockSecret | undefined,
): Promise<PoolKeys> {
  if (secret === undefined)
    throw fail('BAD_INPUT', {
      what: 'the lock',
      reason: 'the first time it needs a passphrase or a key file',
    })
  if ((await loadPoolKeys(join(home, 'keys', 'before'), keys().secrets.peer)) !== undefined)
    throw fail('BAD_INPUT', {
      what: 'the lock',
      reason: 'files of the pool before are still being brought along',
    })
  return { ...keys(), lock: await newLock(secret, random) }
}

async function unlock({ home, peerKey, keys, enter }: LockParts, secret: LockSecret): Promise<void> {
  const opened = await unlockPoolKeys(home, peerKey, secret)
  if (keys().locked === true) await enter(opened)
}

async function change(parts: LockParts, secret: LockSecret, next: LockSecret): Promise<void> {
  const { home, peerKey, random, keys, useKeys } = parts
  const opened = await unlockPoolKeys(home, peerKey, secret)
  const changed = { ...opened, lock: await newLock(next, random) }
  await savePoolKeys(home, changed, random)
  if (keys().locked !== true) useKeys(changed)
}

async function remove(parts: LockParts, secret: LockSecret): Promise<void> {
  const { home, peerKey, random, keys, useKeys, enter } = parts
  const opened = { ...(await unlockPoolKeys(home, peerKey, secret)), lock: undefined }
  await savePoolKeys(home, opened, random)
  if (keys().locked === true) await enter(opened)
  else useKeys(opened)
}
