/**
 * What the files of a folder may hold together, as its policy says. Uploads under way reserve what they
 * will be, and nothing that makes a folder larger is written without asking here in the same step: so
 * many writers at once, by whatever protocol, never pass it together. Versions and the trash do not count.
 */
import type { Catalogue, NewVersion } from '../access/catalogue.ts'
import { fail } from '../base/errors.ts'
import { shellWord } from '../base/shell-word.ts'
import type { FolderId } from '../base/words.ts'
import type { Store } from '../store/store.ts'
import type { EntryRow } from '../store/view.ts'
import type { UploadBook } from './upload-book.ts'

export interface FolderQuotasParts {
  store: Pick<Store, 'read'>
  catalogue: Pick<Catalogue, 'folders'>
  uploads: Pick<UploadBook, 'openBytes'>
}

/** What an upload holds of a folder until its version is written. */
export interface Claim {
  /** It will be at least so large; `QUOTA_FULL`. */
  grow(bytes: number): void
  end(): void
}

export class FolderQuotas {
  readonly #parts: FolderQuotasParts
  readonly #reserved = new Map<FolderId, number>()

  constructor(parts: FolderQuotasParts) {
    this.#parts = parts
  }

  /** Space for `what`, in place of `before`. */
  claim(folder: FolderId, what: string, before: EntryRow | undefined): Claim {
    const replaced = before === undefined ? 0 : bytesOf(before)
    let held = 0
    return {
      grow: (bytes) => {
        const more = bytes - replaced - held
        if (more <= 0) return
        this.require(folder, what, more)
        this.#reserve(folder, more)
        held += more
      },
      end: () => {
        this.#reserve(folder, -held)
        held = 0
      },
    }
  }

  /** `QUOTA_FULL` unless a folder may grow by so many bytes. */
  require(id: FolderId, what: string, bytes: number): void {
    const folder = this.#parts.catalogue.folders().find((folder) => folder.id === id)
    const limit = folder?.policy.quota
    if (limit === undefined || bytes <= 0) return
    const { bytes: used } = this.#parts.store.read.totals(id)
    const reserved = (this.#reserved.get(id) ?? 0) + this.#parts.uploads.openBytes(id)
    if (used + reserved + bytes <= limit) return
    const name = folder?.name ?? id
    const words = {
      where: `the quota of folder ${name}`,
      raise: `peerstor folder set ${shellWord(name)} quota=SIZE`,
    }
    throw fail('QUOTA_FULL', { ...words, folder: name, limit, what, needed: bytes })
  }

  /** Writes versions, none of which makes a folder pass its quota. */
  guard(write: Catalogue['write']): Catalogue['write'] {
    return async (versions) => {
      const growth = this.#growth(versions)
      for (const [folder, bytes] of growth) this.require(folder, whatIn(versions, folder), bytes)
      for (const [folder, bytes] of growth) this.#reserve(folder, bytes)
      try {
        return await write(versions)
      } finally {
        for (const [folder, bytes] of growth) this.#reserve(folder, -bytes)
      }
    }
  }

  #reserve(folder: FolderId, bytes: number): void {
    const now = (this.#reserved.get(folder) ?? 0) + bytes
    if (now === 0) this.#reserved.delete(folder)
    else this.#reserved.set(folder, now)
  }

  /** By how much folders with a quota would grow; what shrinks or stays is left out. */
  #growth(versions: readonly NewVersion[]): Map<FolderId, number> {
    const limited = new Set(
      this.#parts.catalogue.folders().flatMap(({ id, policy }) => (policy.quota === undefined ? [] : [id])),
    )
    const growth = new Map<FolderId, number>()
    for (const { folder, entry, body } of limited.size === 0 ? [] : versions) {
      if (!limited.has(folder)) continue
      const before = entry === undefined ? undefined : this.#parts.store.read.entry(folder, entry)
      const now = body.kind === 'removed' ? 0 : body.size
      growth.set(folder, (growth.get(folder) ?? 0) + now - (before === undefined ? 0 : bytesOf(before)))
    }
    return new Map([...growth].filter(([, bytes]) => bytes > 0))
  }
}

/** What an entry counts now. */
const bytesOf = ({ kind, shadowed, size }: EntryRow): number => (kind === 'removed' || shadowed ? 0 : size)

function whatIn(versions: readonly NewVersion[], folder: FolderId): string {
  const [first, ...others] = versions.filter((version) => version.folder === folder)
  return others.length > 0 ? `${others.length + 1} files` : (first?.body.path ?? 'it')
}
