/** A real disk whose operations on segments and their folder are recorded and can be made to fail. */
import type { Disk, DiskFile } from '../src/base/disk.ts'
import { fail } from '../src/base/errors.ts'
import { realDisk } from '../src/store/real-disk.ts'

export type Operation = 'create' | 'write' | 'sync' | 'syncFolder' | 'truncate' | 'remove'

export class FaultyDisk {
  /** Every operation that changes the disk, in order; `file` is the name without its folder. */
  readonly done: { operation: Operation; file: string }[] = []
  /** Asked before each operation: an error to throw instead, or undefined. */
  fault: (operation: Operation, file: string) => Error | undefined = () => undefined
  /** What a failing write leaves in the file: this many bytes of it. */
  partialWrite = 0
  readonly disk: Disk = {
    ...realDisk,
    open: async (path, mode) => {
      if (mode === 'create') this.#do('create', path)
      return this.#file(await realDisk.open(path, mode), path)
    },
    syncFolder: async (folder) => {
      this.#do('syncFolder', folder)
      await realDisk.syncFolder(folder)
    },
    remove: async (path) => {
      this.#do('remove', path)
      await realDisk.remove(path)
    },
  }

  count(operation: Operation): number {
    return this.done.filter((done) => done.operation === operation).length
  }

  #do(operation: Operation, path: string): void {
    const file = path.replace(/^.*[\\/]/, '')
    if (!file.startsWith('seg')) return
    const error = this.fault(operation, file)
    if (error !== undefined) throw error
    this.done.push({ operation, file })
  }

  #file(file: DiskFile, path: string): DiskFile {
    return {
      read: (offset, length) => file.read(offset, length),
      write: async (offset, parts) => {
        try {
          this.#do('write', path)
        } catch (thrown) {
          await file.write(offset, [Buffer.concat(parts).subarray(0, this.partialWrite)])
          throw thrown
        }
        await file.write(offset, parts)
      },
      sync: async () => {
        this.#do('sync', path)
        await file.sync()
      },
      truncate: async (length) => {
        this.#do('truncate', path)
        await file.truncate(length)
      },
      size: () => file.size(),
      close: () => file.close(),
    }
  }
}

export const ioError = (): Error => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
export const diskFull = (): Error => fail('DISK_FULL', { path: 'test' })
