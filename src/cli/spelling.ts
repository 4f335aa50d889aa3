/**
 * On a disk that ignores case, `README` and `readme` are one file: the second is refused instead of
 * silently replacing the first. A folder is read once for all its files: a tree comes in order.
 */
import { basename, dirname } from 'node:path'
import { fail } from '../base/errors.ts'

export interface LocalNames {
  /** Whether the disk finds something at a place, as it compares names. */
  has(place: string): Promise<boolean>
  /** The names in a folder as they are spelled there. */
  names(folder: string): Promise<string[]>
}

export class Spelling {
  readonly #disk: LocalNames
  #folder: string | undefined
  #names = new Set<string>()

  constructor(disk: LocalNames) {
    this.#disk = disk
  }

  /** Fails with `BAD_PATH` when what lies at `place` is spelled otherwise. */
  async require(place: string): Promise<void> {
    if (!(await this.#disk.has(place))) return
    const folder = dirname(place)
    const name = basename(place).normalize()
    if (this.#folder === folder && this.#names.has(name)) return
    const names = new Set((await this.#disk.names(folder)).map((found) => found.normalize()))
    // Both in one step: several files are looked at at once.
    this.#folder = folder
    this.#names = names
    if (!names.has(name))
      throw fail('BAD_PATH', { path: place, reason: 'a name there differs from it only in its case' })
  }
}
