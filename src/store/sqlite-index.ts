/**
 * The write side of the index database: applies groups of the segment log, each as one transaction,
 * and knows how far the log is covered.
 */
import type { SQLOutputValue } from 'node:sqlite'
import {
  idBytes,
  type ChunkId,
  type DatabaseId,
  type FolderId,
  type PeerId,
  type PoolId,
  type RecordHash,
} from '../base/words.ts'
import type { Coding } from '../codec/coding.ts'
import type { IndexGroup, IndexOp, RecordRow } from './index-group.ts'
import { indexMigrations, migrate } from './migrations.ts'
import type { Location, PinList, Position } from './segment-format.ts'
import { Sqlite, blob, idIn, joinIds, num, sqliteCodes, type Row } from './sqlite.ts'
import { Numbers } from './sqlite-numbers.ts'
import { SqliteView } from './sqlite-view.ts'

/** Kinds of rows in `changes`. */
export const changeKinds = { batch: 0, held: 1, dropped: 2 } as const

/** What a new database is made for. */
export interface IndexIdentity {
  pool: PoolId
  /** This peer: its own chunks count as its holdings. */
  peer: PeerId
  /** Name of the database when it is made now. */
  database: DatabaseId
  /** The store's key of entry headers when the database is made now. */
  logKey: Buffer
}

/** What the index knew when it was opened. */
export interface IndexState {
  database: DatabaseId
  pool: PoolId
  logKey: Buffer
  /** Undefined when nothing was applied yet. */
  position: Position | undefined
  segments: { number: number; bytes: number; dead: number; retired: boolean }[]
}

/** Databases up to this size are checked whole when they are opened. */
const checkedBytes = 64 * 1024 * 1024

export class SqliteIndex {
  readonly sql: Sqlite
  readonly #numbers: Numbers
  readonly #view: SqliteView
  readonly #self: number
  #change: number
  /** Whether any chunk may be loose: a new pin looks for its row only then. */
  #anyLoose: boolean

  /** Opens or makes the database at `path`; throws SQLite's error when it is damaged. */
  constructor(path: string, identity: IndexIdentity) {
    this.sql = new Sqlite(path, { synchronous: 'NORMAL' })
    this.#check()
    migrate(this.sql.db, indexMigrations, 'the index database')
    this.#numbers = new Numbers(this.sql)
    this.#view = new SqliteView(this.sql, this.#numbers)
    this.sql.transaction(() => this.#introduce(identity))
    if (this.#meta('unsearched') !== undefined) this.sql.transaction(() => this.#fillSearch())
    this.#self = this.#numbers.makePeer(identity.peer)
    this.#change = num(this.#meta('change') ?? 0)
    this.#anyLoose = this.sql.get('SELECT 1 FROM loose LIMIT 1') !== undefined
  }

  state(): IndexState {
    const segment = this.#meta('segment')
    return {
      database: idIn<DatabaseId>(this.#meta('database')),
      pool: idIn<PoolId>(this.#meta('pool')),
      logKey: Buffer.from(this.#meta('logKey') as Uint8Array),
      position:
        segment === undefined ? undefined : { segment: num(segment), offset: num(this.#meta('offset')) },
      segments: this.sql.all('SELECT * FROM segments ORDER BY number').map((row) => ({
        number: num(row['number']),
        bytes: num(row['bytes']),
        dead: num(row['dead']),
        retired: row['retired'] === 1,
      })),
    }
  }

  /**
   * Applies all operations of a group, or none. After a segment is retired its file goes: an index that
   * forgot that in a power cut would miss the file and be made anew.
   */
  apply(group: IndexGroup): void {
    const synced = group.ops.some(({ op }) => op === 'retire-segment')
    if (synced) this.sql.db.exec('PRAGMA synchronous = FULL')
    try {
      this.#applyGroup(group)
    } finally {
      if (synced) this.sql.db.exec('PRAGMA synchronous = NORMAL')
    }
  }

  #applyGroup(group: IndexGroup): void {
    const change = this.#change
    try {
      this.sql.transaction(() => {
        for (const op of group.ops) this.#applyOp(op)
        this.#view.settle()
        if (group.position !== undefined) this.#cover(group.position)
        if (this.#change !== change) this.#setMeta('change', this.#change)
      })
    } catch (thrown) {
      this.#change = change
      this.#numbers.forget()
      this.#view.forget()
      throw thrown
    }
  }

  /** After a rebuild: pins on chunks that the log dropped or lost say nothing. */
  dropStrayPins(): void {
    this.sql.run('DELETE FROM pins WHERE chunk IN (SELECT n FROM chunks WHERE segment IS NULL)')
  }

  close(): void {
    this.sql.close()
  }

  #check(): void {
    const { bytes } = this.sql.get(
      'SELECT page_count * page_size bytes FROM pragma_page_count, pragma_page_size',
    )!
    if (num(bytes) > checkedBytes) return
    const answer = this.sql.get('PRAGMA quick_check(1)')
    if (answer?.['quick_check'] !== 'ok')
      throw Object.assign(new Error('the index database failed its check'), { errcode: sqliteCodes.corrupt })
  }

  #introduce(identity: IndexIdentity): void {
    if (this.#meta('database') !== undefined) return
    this.#setMeta('database', idBytes(identity.database))
    this.#setMeta('pool', idBytes(identity.pool))
    this.#setMeta('logKey', identity.logKey)
    this.#numbers.makePeer(identity.peer)
  }

  #fillSearch(): void {
    this.#view.fillSearch()
    this.sql.run("DELETE FROM meta WHERE key = 'unsearched'")
  }

  #meta(key: string): SQLOutputValue | undefined {
    return this.sql.get('SELECT value FROM meta WHERE key = ?', key)?.['value']
  }

  #setMeta(key: string, value: number | Buffer): void {
    this.sql.run('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)', key, value)
  }

  #cover({ segment, offset }: Position): void {
    this.#setMeta('segment', segment)
    this.#setMeta('offset', offset)
    this.sql.run(
      `INSERT INTO segments (number, bytes) VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET bytes = excluded.bytes`,
      segment,
      offset,
    )
  }

  #applyOp(op: IndexOp): void {
    switch (op.op) {
      case 'chunk':
        return this.#chunk(op.id, op.location)
      case 'batch':
        return this.#batch(op)
      case 'pins':
        return this.#pin(op.list, op.moved)
      case 'releases':
        return this.#release(op.list)
      case 'drops':
        return op.ids.forEach((id) => this.#drop(id))
      case 'damaged-batch':
        this.sql.run('UPDATE batches SET whole = 0 WHERE last = ?', idBytes(op.last))
        return
      case 'quarantine':
        return this.#quarantine(op)
      case 'scar':
        this.sql.run('INSERT OR IGNORE INTO scars (segment, offset) VALUES (?, ?)', op.segment, op.offset)
        return
      case 'verified':
        this.sql.run(
          'UPDATE segments SET verified = ?, verified_to = ? WHERE number = ?',
          op.at,
          op.upTo,
          op.segment,
        )
        return
      case 'retire-segment':
        return this.#retire(op.segment)
      case 'forget-segment':
        for (const table of ['scars', 'quarantine'])
          this.sql.run(`DELETE FROM ${table} WHERE segment = ?`, op.segment)
        this.sql.run('DELETE FROM segments WHERE number = ?', op.segment)
        return
      case 'release':
        return this.#letFall(op)
      case 'loose':
        return op.ids.forEach((id) => this.#loosen(this.#numbers.makeChunk(id), op.at, 0))
      case 'reconciled':
      case 'compared':
        return this.#compared(op)
      case 'known':
        return this.#know(op)
      case 'not-coded':
        this.sql.run('UPDATE codings SET state = 1 WHERE n = ?', op.coding)
        return
      case 'held':
      case 'dropped':
      case 'forget-holdings':
        return this.#holdings(op)
      case 'feed':
      case 'statement':
      case 'seen':
        return this.#peerFact(op)
      default:
        return this.#view.apply(op)
    }
  }

  /** Batches that were not copied out of a segment were damaged. */
  #retire(segment: number): void {
    this.sql.run('UPDATE segments SET retired = 1 WHERE number = ?', segment)
    this.sql.run('UPDATE batches SET whole = 0 WHERE segment = ?', segment)
  }

  #nextChange(): number {
    this.#change += 1
    return this.#change
  }

  #changed(kind: number, ref: number): void {
    this.sql.run('INSERT INTO changes (number, kind, ref) VALUES (?, ?, ?)', this.#nextChange(), kind, ref)
  }

  #chunk(id: ChunkId, location: Location): void {
    const n = this.#numbers.placeNewChunk(id, location)
    if (n === undefined) return this.#chunkAgain(id, location)
    this.#holds(n)
  }

  /** A chunk that has a row: it moved, came back, or was named before it came. */
  #chunkAgain(id: ChunkId, { segment, offset, length }: Location): void {
    const n = this.#numbers.makeChunk(id)
    const before = this.sql.get('SELECT segment, length FROM chunks WHERE n = ?', n)!
    this.sql.run(
      'UPDATE chunks SET segment = ?, offset = ?, length = ? WHERE n = ?',
      segment,
      offset,
      length,
      n,
    )
    if (before['segment'] !== null) return this.#died(num(before['segment']), num(before['length']))
    this.#leaveQuarantine(n, segment, offset)
    this.#holds(n)
  }

  /** This peer holds a chunk from now on. */
  #holds(n: number): void {
    this.sql.run('INSERT OR IGNORE INTO holdings (chunk, peer) VALUES (?, ?)', n, this.#self)
    this.#changed(changeKinds.held, n)
  }

  #drop(id: ChunkId): void {
    const n = this.#numbers.chunk(id)
    if (n === undefined) return
    const before = this.sql.get('SELECT segment, length FROM chunks WHERE n = ?', n)!
    this.sql.run('DELETE FROM pins WHERE chunk = ?', n)
    this.#hold(n)
    this.#leaveQuarantine(n)
    if (before['segment'] === null) return
    this.#leave(n)
    this.#died(num(before['segment']), num(before['length']))
  }

  /** A chunk is not here any more. */
  #leave(n: number): void {
    this.sql.run('UPDATE chunks SET segment = NULL, offset = NULL, length = NULL WHERE n = ?', n)
    this.sql.run('DELETE FROM holdings WHERE chunk = ? AND peer = ?', n, this.#self)
    this.#changed(changeKinds.dropped, n)
  }

  /** Its pins stay: the good copy that comes is kept for the same reasons. */
  #quarantine({ id, location, at }: IndexOp & { op: 'quarantine' }): void {
    const { segment, offset, length } = location
    const sql = 'SELECT n FROM chunks WHERE id = ? AND segment = ? AND offset = ?'
    const row = this.sql.get(sql, idBytes(id), segment, offset)
    if (row === undefined) return
    const n = num(row['n'])
    this.#leave(n)
    const into =
      'INSERT OR REPLACE INTO quarantine (chunk, segment, offset, length, at) VALUES (?, ?, ?, ?, ?)'
    this.sql.run(into, n, segment, offset, length, at)
  }

  /** A good copy has come, or the bytes at their old place are right after all. */
  #leaveQuarantine(n: number, segment?: number, offset?: number): void {
    const row = this.sql.get('SELECT segment, offset, length FROM quarantine WHERE chunk = ?', n)
    if (row === undefined) return
    this.sql.run('DELETE FROM quarantine WHERE chunk = ?', n)
    if (row['segment'] !== segment || row['offset'] !== offset)
      this.#died(num(row['segment']), num(row['length']))
  }

  /** Bytes of a segment that nothing names any more. */
  #died(segment: number, bytes: number): void {
    this.sql.run(
      `INSERT INTO segments (number, bytes, dead) VALUES (?, 0, ?) ON CONFLICT (number) DO UPDATE SET dead = dead + excluded.dead`,
      segment,
      bytes,
    )
  }

  #pin({ pin, ids }: PinList, moved: boolean): void {
    const folder = this.#numbers.makeFolder(pin.folder)
    const device = this.#numbers.makeDevice(pin.device)
    const verb = moved ? 'INSERT OR IGNORE' : 'INSERT OR REPLACE'
    for (const id of ids) {
      const n = this.#numbers.makeChunk(id)
      const change = this.#nextChange()
      this.sql.run(
        `${verb} INTO pins (chunk, folder, device, change) VALUES (?, ?, ?, ?)`,
        n,
        folder,
        device,
        change,
      )
      // A pin that compaction moved may be one that falls.
      if (!moved) this.#hold(n)
    }
  }

  #compared(op: IndexOp & { op: 'reconciled' | 'compared' }): void {
    const folder = this.#numbers.makeFolder(op.folder)
    if (op.op === 'reconciled') {
      this.sql.run('INSERT OR REPLACE INTO reconciled (folder, at) VALUES (?, ?)', folder, op.at)
      return
    }
    const sql = 'INSERT OR REPLACE INTO compared (folder, peer, database, change, at) VALUES (?, ?, ?, ?, ?)'
    this.sql.run(sql, folder, this.#numbers.makePeer(op.peer), idBytes(op.database), op.change, op.at)
  }

  /** A chunk is not loose, or not here, any more. */
  #hold(chunk: number): void {
    if (this.#anyLoose) this.sql.run('DELETE FROM loose WHERE chunk = ?', chunk)
  }

  #loosen(chunk: number, at: number, released: 0 | 1): void {
    this.#anyLoose = true
    this.sql.run(
      `INSERT INTO loose (chunk, since, released) SELECT n, ?, ? FROM chunks c WHERE n = ? AND segment IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.chunk = c.n AND p.falls IS NULL)
       ON CONFLICT (chunk) DO UPDATE SET released = max(released, excluded.released)`,
      at,
      released,
      chunk,
    )
  }

  #letFall({ folder, ids, upTo, devices, soon, late, at }: IndexOp & { op: 'release' }): void {
    const own = JSON.stringify(devices.map((device) => this.#numbers.makeDevice(device)))
    for (const id of ids) {
      const chunk = this.#numbers.chunk(id)
      if (chunk === undefined) continue
      this.sql.run(
        `UPDATE pins SET falls = min(coalesce(falls, ?4), CASE WHEN device IN (SELECT value FROM json_each(?5)) THEN ?3 ELSE ?4 END)
         WHERE chunk = ?1 AND folder = ?2 AND change <= ?6`,
        chunk,
        this.#numbers.makeFolder(folder),
        soon,
        late,
        own,
        upTo,
      )
      this.#loosen(chunk, at, 1)
    }
  }

  #release({ pin, ids }: PinList): void {
    const folder = this.#numbers.makeFolder(pin.folder)
    const device = this.#numbers.makeDevice(pin.device)
    for (const id of ids) {
      const n = this.#numbers.makeChunk(id)
      this.sql.run('DELETE FROM pins WHERE chunk = ? AND folder = ? AND device = ?', n, folder, device)
    }
  }

  #batch({ last, location, records, whole }: IndexOp & { op: 'batch' }): void {
    const { segment, offset, length } = location
    const key = idBytes(last)
    const known = this.sql.get('SELECT n, segment, length, whole FROM batches WHERE last = ?', key)
    if (known !== undefined) {
      // Bodies that are here stay, whoever sends the batch without them.
      if (known['whole'] === 1 && whole === false) return this.#died(segment, length)
      const sql =
        'UPDATE batches SET segment = ?, offset = ?, length = ?, whole = coalesce(?, whole) WHERE last = ?'
      this.sql.run(sql, segment, offset, length, whole === undefined ? null : Number(whole), key)
      // Who read of it before may have it without bodies, or not at all.
      if (known['whole'] === 0 && whole === true) this.#changed(changeKinds.batch, num(known['n']))
      return this.#died(num(known['segment']), num(known['length']))
    }
    const sql = 'INSERT INTO batches (last, segment, offset, length, whole) VALUES (?, ?, ?, ?, ?)'
    this.sql.run(sql, key, segment, offset, length, Number(whole ?? true))
    const n = num(this.sql.get('SELECT n FROM batches WHERE last = ?', key)!['n'])
    for (const record of records) this.#record(record, n)
    this.#changed(changeKinds.batch, n)
  }

  /** A record that another batch brought already keeps that batch. */
  #record({ hash, head, codings = [] }: RecordRow, batch: number): void {
    const device = this.#numbers.makeDevice(head.device)
    const previous = head.previous === undefined ? undefined : this.#place(head.previous)
    const position = previous === undefined ? 0 : num(previous['position']) + 1
    const added = this.sql.run(
      `INSERT OR IGNORE INTO records (hash, batch, kind, folder, epoch, entry, device, incarnation, seq, previous, ms, counter, parents, body_hash, position)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      idBytes(hash),
      batch,
      head.kind,
      head.folder === undefined ? null : this.#numbers.makeFolder(head.folder),
      head.epoch === undefined ? null : idBytes(head.epoch),
      head.entry === undefined ? null : idBytes(head.entry),
      device,
      idBytes(head.incarnation),
      head.seq,
      head.previous === undefined ? null : idBytes(head.previous),
      head.time.ms,
      head.time.counter,
      head.parents === undefined ? null : joinIds(head.parents),
      head.bodyHash ?? null,
      position,
    )
    if (added === 0) return
    if (previous?.['device'] === device)
      this.sql.run('DELETE FROM heads WHERE device = ? AND record = ?', device, num(previous['n']))
    if (!this.#placeBehind(hash, position, device)) this.#makeHead(hash, device)
    for (const coding of codings) this.#code(head.folder!, coding)
  }

  /** What two devices say alike is one row. */
  #code(folder: FolderId, { chunk, length, scheme: { k, m }, shards }: Coding): void {
    const n = this.#numbers.makeChunk(chunk)
    const places = shards.map((shard) => this.#numbers.makeChunk(shard))
    const same = this.sql.all('SELECT n FROM codings WHERE chunk = ? AND k = ? AND m = ?', n, k, m)
    if (same.some((coding) => this.#hasShards(num(coding['n']), places))) return
    const row = this.sql.get(
      'INSERT INTO codings (chunk, folder, length, k, m) VALUES (?, ?, ?, ?, ?) RETURNING n',
      n,
      this.#numbers.makeFolder(folder),
      length,
      k,
      m,
    )!
    for (const [place, shard] of places.entries())
      this.sql.run('INSERT INTO shards (coding, place, chunk) VALUES (?, ?, ?)', num(row['n']), place, shard)
  }

  #hasShards(coding: number, places: readonly number[]): boolean {
    const rows = this.sql.all('SELECT chunk FROM shards WHERE coding = ? ORDER BY place', coding)
    return rows.length === places.length && rows.every((row, place) => row['chunk'] === places[place])
  }

  #place(record: RecordHash): Row | undefined {
    return this.sql.get('SELECT n, device, position FROM records WHERE hash = ?', idBytes(record))
  }

  #makeHead(hash: RecordHash, device: number): void {
    const sql = 'INSERT INTO heads (device, record) SELECT ?, n FROM records WHERE hash = ?'
    this.sql.run(sql, device, idBytes(hash))
  }

  /**
   * Records that came before the one they link to: compaction may have moved it behind them in the log.
   * Says whether `device` went on from this record.
   */
  #placeBehind(hash: RecordHash, position: number, device: number): boolean {
    const rows = [{ hash: idBytes(hash) as Uint8Array, position }]
    let goesOn = false
    for (const [index, { hash, position }] of rows.entries()) {
      for (const child of this.sql.all('SELECT n, hash, device FROM records WHERE previous = ?', hash)) {
        this.sql.run('UPDATE records SET position = ? WHERE n = ?', position + 1, num(child['n']))
        rows.push({ hash: blob(child['hash']), position: position + 1 })
        goesOn ||= index === 0 && child['device'] === device
      }
    }
    return goesOn
  }

  #know({ folder, p, ref }: IndexOp & { op: 'known' }): void {
    this.sql.run(
      'INSERT OR REPLACE INTO known (folder, p, chunk, ck, length) VALUES (?, ?, ?, ?, ?)',
      this.#numbers.makeFolder(folder),
      p,
      this.#numbers.makeChunk(ref.id),
      ref.ck,
      ref.length,
    )
  }

  #holdings(op: IndexOp & { op: 'held' | 'dropped' | 'forget-holdings' }): void {
    const peer = this.#numbers.makePeer(op.peer)
    // What this peer holds itself is known from its segments alone.
    if (peer === this.#self) return
    if (op.op === 'forget-holdings') {
      this.sql.run('DELETE FROM holdings WHERE peer = ?', peer)
      return
    }
    const sql =
      op.op === 'held'
        ? 'INSERT OR IGNORE INTO holdings (chunk, peer) VALUES (?, ?)'
        : 'DELETE FROM holdings WHERE chunk = ? AND peer = ?'
    for (const id of op.ids) this.sql.run(sql, this.#numbers.makeChunk(id), peer)
  }

  #peerFact(op: IndexOp & { op: 'feed' | 'statement' | 'seen' }): void {
    if (op.op === 'statement') {
      const device = this.#numbers.makeDevice(op.device)
      this.sql.run('INSERT OR REPLACE INTO statements (device, bytes) VALUES (?, ?)', device, op.bytes)
      return
    }
    const peer = this.#numbers.makePeer(op.peer)
    if (op.op === 'feed') {
      const sql = 'INSERT OR REPLACE INTO feeds (peer, database, change) VALUES (?, ?, ?)'
      this.sql.run(sql, peer, idBytes(op.database), op.change)
      return
    }
    const sql = 'INSERT OR REPLACE INTO seen (peer, at, addresses) VALUES (?, ?, ?)'
    this.sql.run(sql, peer, op.at, JSON.stringify(op.addresses))
  }
}
