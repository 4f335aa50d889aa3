/**
 * Bytes of a download under way, beside the place where they will be: `.HASH.PID.peerstor-part`.
 * What an ended command left of the same content is gone on with, from where its bytes are surely on the
 * disk: they are synced every `syncBytes`, so all but the last stretch survives a power cut.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const syncBytes = 16 * 2 ** 20

export class PartFile {
  readonly path: string
  readonly file: FileHandle
  /** Bytes that are there. */
  offset: number

  private constructor(path: string, file: FileHandle, offset: number) {
    this.path = path
    this.file = file
    this.offset = offset
  }

  /** A part that was left of content `hash` for `out`, else a new one. */
  static async open(out: string, hash: string): Promise<PartFile> {
    const folder = dirname(out)
    const start = `.${hash.slice(0, 32)}.`
    const path = join(folder, `${start}${process.pid}.peerstor-part`)
    for (const name of await readdir(folder)) {
      if (!name.startsWith(start) || !isLeft(name.slice(start.length))) continue
      const claimed = await rename(join(folder, name), path).then(
        () => true,
        () => false,
      )
      const left = claimed ? await PartFile.#goOn(path) : undefined
      if (left !== undefined) return left
    }
    await rm(path, { force: true })
    return new PartFile(path, await open(path, 'wx'), 0)
  }

  /** In a folder that others write too, what looks like a part may lead to another file. */
  static async #goOn(path: string): Promise<PartFile | undefined> {
    const file = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0)).catch(() => undefined)
    const found = await file?.stat()
    const isOwn =
      found?.isFile() === true && found.nlink === 1 && found.uid === (process.getuid?.() ?? found.uid)
    if (file === undefined || !isOwn) {
      await file?.close()
      return undefined
    }
    const { size } = found
    const offset = Math.floor(Math.max(0, size - 1) / syncBytes) * syncBytes
    await file.truncate(offset)
    return new PartFile(path, file, offset)
  }

  async write(bytes: Uint8Array): Promise<void> {
    const before = this.offset
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.file.write(bytes, written, bytes.length - written, this.offset)
      written += bytesWritten
      this.offset += bytesWritten
    }
    if (Math.floor(before / syncBytes) !== Math.floor(this.offset / syncBytes)) await this.file.datasync()
  }

  /** The bytes are whole: they get their name. */
  async keepAs(out: string): Promise<void> {
    await this.file.close()
    await rename(this.path, out)
  }

  /** Leaves the part for a later command; little is not worth it. */
  async leave(): Promise<void> {
    await this.file.close()
    if (this.offset < syncBytes) await rm(this.path, { force: true })
  }
}

/** Whether a part's ending names a command that runs no more. */
function isLeft(ending: string): boolean {
  const pid = Number(/^(\d+)\.peerstor-part$/.exec(ending)?.[1] ?? Number.NaN)
  if (!Number.isInteger(pid)) return false
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
