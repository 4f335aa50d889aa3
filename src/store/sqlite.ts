/** A SQLite database with its prepared statements kept, and values in the forms that the index uses. */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { fail } from '../base/errors.ts'
import { idOf, type HexId } from '../base/words.ts'

export type Row = Record<string, SQLOutputValue>

export interface SqliteOptions {
  /** `FULL`: a commit is on the disk when it returns. `NORMAL`: it may be lost in a power cut, nothing breaks. */
  synchronous: 'NORMAL' | 'FULL'
  readOnly?: boolean | undefined
}

export const inMemory = ':memory:'
const busyTimeoutMs = 10_000
/** 32 MiB of log: pages that many commits change are written to the database once, and synced once. */
const checkpointPages = 8192

export class Sqlite {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #listing = new Map<string, StatementSync>()

  constructor(path: string, { synchronous, readOnly = false }: SqliteOptions) {
    this.db = new DatabaseSync(path, { readOnly, timeout: busyTimeoutMs })
    if (readOnly) {
      this.db.exec('PRAGMA cache_size = -16384')
      return
    }
    this.db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};
      PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864;
      PRAGMA wal_autocheckpoint = ${checkpointPages};`)
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values)
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values)
  }

  /** All rows as lists of values, in the order of the columns: half the time of objects. */
  lists(sql: string, ...values: SQLInputValue[]): SQLOutputValue[][] {
    let statement = this.#listing.get(sql)
    if (statement === undefined) {
      this.#listing.set(sql, (statement = this.db.prepare(sql)))
      statement.setReturnArrays(true)
    }
    return statement.all(...values) as unknown as SQLOutputValue[][]
  }

  /** Runs `work` as one transaction; nothing of it stays when it throws. */
  transaction<T>(work: () => T): T {
    this.db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.db.exec('COMMIT')
      return result
    } catch (thrown) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK')
      throw thrown
    }
  }

  close(): void {
    this.#statements.clear()
    this.#listing.clear()
    this.db.close()
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = this.db.prepare(sql)))
    return statement
  }
}

/** A column's number. */
export function num(value: SQLOutputValue | undefined): number {
  return Number(value)
}

/** A column's text. */
export function text(value: SQLOutputValue | undefined): string {
  return String(value)
}

/** A column's bytes. */
export function blob(value: SQLOutputValue | undefined): Uint8Array {
  return value as Uint8Array
}

/** A BLOB column as an id. */
export function idIn<Id extends HexId>(value: SQLOutputValue | undefined): Id {
  return idOf<Id>(value as Uint8Array)
}

/** 32-byte ids joined into one BLOB, and back. */
export function joinIds(ids: readonly HexId[]): Buffer {
  return Buffer.from(ids.join(''), 'hex')
}

export function splitIds<Id extends HexId>(value: SQLOutputValue | undefined): Id[] {
  const bytes = value as Uint8Array | null | undefined
  if (bytes === null || bytes === undefined) return []
  return Array.from({ length: bytes.length >>> 5 }, (_, index) =>
    idOf<Id>(bytes.subarray(index * 32, index * 32 + 32)),
  )
}

/** SQLite's primary result code of a thrown value; 0 for anything else. */
export function sqliteCode(thrown: unknown): number {
  return thrown instanceof Error && 'errcode' in thrown ? Number(thrown.errcode) & 0xff : 0
}

export const sqliteCodes = { corrupt: 11, full: 13, notADatabase: 26 } as const

/** Whether a thrown value says that a database file is damaged or none at all. */
export function isDatabaseDamage(thrown: unknown): boolean {
  const code = sqliteCode(thrown)
  return code === sqliteCodes.corrupt || code === sqliteCodes.notADatabase
}

/** Throws what was thrown; a database that its disk has no room for as `DISK_FULL`, like a segment. */
export function failWhenFull(thrown: unknown, path = 'the index database'): never {
  if (sqliteCode(thrown) === sqliteCodes.full) throw fail('DISK_FULL', { path }, thrown)
  throw thrown
}
