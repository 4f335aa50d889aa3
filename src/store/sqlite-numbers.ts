/** The integers that stand for ids inside the index database. */
import { idBytes, type ChunkId, type DeviceId, type FolderId, type PeerId } from '../base/words.ts'
import type { Location } from './segment-format.ts'
import { num, type Sqlite } from './sqlite.ts'

const rememberedChunks = 4096

type Table = 'folders' | 'devices' | 'peers'

/** Numbers of folders, devices and peers; kept in memory, since they are few. `number…` makes missing ones. */
export class Numbers {
  readonly #sql: Sqlite
  readonly #known = {
    folders: new Map<string, number>(),
    devices: new Map<string, number>(),
    peers: new Map<string, number>(),
  }

  /** Of the chunks that were named last. Rows of chunks stay for ever. */
  readonly #made = new Map<ChunkId, number>()

  constructor(sql: Sqlite) {
    this.#sql = sql
  }

  folder(id: FolderId): number | undefined {
    return this.#find('folders', id, idBytes(id))
  }

  device(id: DeviceId): number | undefined {
    return this.#find('devices', id, idBytes(id))
  }

  peer(id: PeerId): number | undefined {
    return this.#find('peers', id, id)
  }

  makeFolder(id: FolderId): number {
    return this.folder(id) ?? this.#make('folders', id, idBytes(id))
  }

  makeDevice(id: DeviceId): number {
    return this.device(id) ?? this.#make('devices', id, idBytes(id))
  }

  makePeer(id: PeerId): number {
    return this.peer(id) ?? this.#make('peers', id, id)
  }

  chunk(id: ChunkId): number | undefined {
    const row = this.#sql.get('SELECT n FROM chunks WHERE id = ?', idBytes(id))
    return row === undefined ? undefined : num(row['n'])
  }

  makeChunk(id: ChunkId): number {
    const made = this.#made.get(id)
    if (made !== undefined) return made
    return this.#remember(id, this.chunk(id) ?? this.#makeChunk(id))
  }

  /** The number of a chunk that nothing has named before, with its place in its row; undefined for any other. */
  placeNewChunk(id: ChunkId, { segment, offset, length }: Location): number | undefined {
    const sql = `INSERT INTO chunks (id, segment, offset, length) VALUES (?, ?, ?, ?)
      ON CONFLICT (id) DO NOTHING RETURNING n`
    const row = this.#sql.get(sql, idBytes(id), segment, offset, length)
    return row === undefined ? undefined : this.#remember(id, num(row['n']))
  }

  /** One group names a new chunk four times: where it lies, its pin, its key, its version. */
  #remember(id: ChunkId, n: number): number {
    if (this.#made.size >= rememberedChunks) this.#made.clear()
    this.#made.set(id, n)
    return n
  }

  #makeChunk(id: ChunkId): number {
    return num(this.#sql.get('INSERT INTO chunks (id) VALUES (?) RETURNING n', idBytes(id))!['n'])
  }

  /** After a transaction was undone: numbers made in it are not there. */
  forget(): void {
    for (const known of Object.values(this.#known)) known.clear()
    this.#made.clear()
  }

  #find(table: Table, id: string, key: Buffer | string): number | undefined {
    const known = this.#known[table].get(id)
    if (known !== undefined) return known
    const row = this.#sql.get(`SELECT n FROM ${table} WHERE id = ?`, key)
    if (row === undefined) return undefined
    this.#known[table].set(id, num(row['n']))
    return num(row['n'])
  }

  #make(table: Table, id: string, key: Buffer | string): number {
    this.#sql.run(`INSERT INTO ${table} (id) VALUES (?)`, key)
    return this.#find(table, id, key)!
  }
}
