/** The disk as a parameter: `store/real-disk.ts` in a peer, a simulated one with crashes in the simulator. */

export interface DiskFile {
  /** Reads up to `length` bytes from `offset`; shorter at the end of the file. */
  read(offset: number, length: number): Promise<Buffer>
  /**
   * Writes all of `parts` one after the other from `offset`; resolves when the kernel has them. `readSoon`:
   * they are worth a place in memory.
   */
  write(offset: number, parts: readonly Uint8Array[], readSoon?: boolean): Promise<void>
  /** `fdatasync`. After a failure the file must not be used for writing again. */
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  /** Length in bytes now. */
  size(): Promise<number>
  close(): Promise<void>
}

/** `direct`: for reading past the system's caches, where it can: what the disk has, not what memory remembers. */
export type OpenMode = 'read' | 'direct' | 'write' | 'create'

export interface Disk {
  /** Opens a file; `create` makes it and fails when it exists. */
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** Names in a folder, sorted; empty when it does not exist. */
  list(folder: string): Promise<string[]>
  makeFolder(folder: string): Promise<void>
  /** Makes names created, renamed or removed in `folder` durable. */
  syncFolder(folder: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file; nothing happens when it does not exist. */
  remove(path: string): Promise<void>
  /** Bytes that this process may still write under `folder`. */
  freeBytes(folder: string): Promise<number>
}
