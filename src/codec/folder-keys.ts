/**
 * A folder's keys (crypto: docs/FORMAT.md): its secret, for life, gives the keys that decide what is
 * equal and where to cut; each epoch's key gives those that seal. No cipher here.
 */
import { idBytes, type EpochId, type FolderId } from '../base/words.ts'
import type { FolderKeys } from './codec.ts'
import { derive, key32, keyedHash, type KeyedHash } from './hash.ts'

/** All content keys of a folder in one epoch. Secret and key: 32 bytes each. */
export function folderKeys(folder: FolderId, folderSecret: Uint8Array, epochKey: Uint8Array): FolderKeys {
  const of = (context: string, key: Uint8Array): Buffer => derive(context, key32(key), idBytes(folder))
  return {
    folder,
    epoch: epochIdOf(folder, epochKey),
    dedup: of('peerstor/1 folder dedup', folderSecret),
    gear: of('peerstor/1 folder gear', folderSecret),
    hash: of('peerstor/1 epoch hash', epochKey),
    kdf: epochKdf(folder, epochKey),
  }
}

/** The id that an epoch key gives: a wrapped key that gives another is refused. */
export function epochIdOf(folder: FolderId, epochKey: Uint8Array): EpochId {
  return derive('peerstor/1 epoch id', key32(epochKey), idBytes(folder)).toString('hex') as EpochId
}

/** K_kdf alone: enough to open what the epoch sealed, not to check what it is bound to. */
export function epochKdf(folder: FolderId, epochKey: Uint8Array): Buffer {
  return derive('peerstor/1 epoch kdf', key32(epochKey), idBytes(folder))
}

/** Whether equal content is equal under both: they come from one folder secret. */
export function isOneSecret(a: FolderKeys, b: FolderKeys): boolean {
  return a.folder === b.folder && Buffer.compare(a.dedup, b.dedup) === 0
}

export interface KeyedHashes {
  readonly dedup: KeyedHash
  readonly hash: KeyedHash
  readonly kdf: KeyedHash
}

const hashesOf = new WeakMap<FolderKeys, KeyedHashes>()

/** The keyed hashes of a folder, made once for each keys object: making one costs more than a small file. */
export function keyedHashes(keys: FolderKeys): KeyedHashes {
  let hashes = hashesOf.get(keys)
  if (hashes === undefined) {
    hashes = { dedup: keyedHash(keys.dedup), hash: keyedHash(keys.hash), kdf: keyedHash(keys.kdf) }
    hashesOf.set(keys, hashes)
  }
  return hashes
}
