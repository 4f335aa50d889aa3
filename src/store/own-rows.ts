/** Rows that only this peer knows, in a database of their own: small JSON values, synced one by one. */
import { fail } from '../base/errors.ts'
import { migrate, ownMigrations } from './migrations.ts'
import { Sqlite, text } from './sqlite.ts'
import type { OwnKind, OwnState } from './store.ts'

export interface OwnRow {
  kind: string
  id: string
  value: string
}

/** The database side. */
export class OwnRows {
  readonly #sql: Sqlite

  constructor(path: string) {
    this.#sql = new Sqlite(path, { synchronous: 'FULL' })
    migrate(this.#sql.db, ownMigrations, 'the database of own rows')
  }

  all(): OwnRow[] {
    return this.#sql
      .all('SELECT kind, id, value FROM own')
      .map((row) => ({ kind: text(row['kind']), id: text(row['id']), value: text(row['value']) }))
  }

  /** On the disk when it returns; `value` undefined removes the row. */
  put(kind: string, id: string, value: string | undefined): void {
    if (value === undefined) this.#sql.run('DELETE FROM own WHERE kind = ? AND id = ?', kind, id)
    else this.#sql.run('INSERT OR REPLACE INTO own (kind, id, value) VALUES (?, ?, ?)', kind, id, value)
  }

  close(): void {
    this.#sql.close()
  }
}

/** Makes a row durable; `value` undefined removes it. */
export type WriteOwn = (kind: string, id: string, value: string | undefined) => Promise<void>

/** The caller's side: reads from memory, since the rows are few; writes through. */
export class OwnRowStore implements OwnState {
  readonly #write: WriteOwn
  readonly #rows = new Map<string, Map<string, string>>()

  constructor(rows: readonly OwnRow[], write: WriteOwn) {
    this.#write = write
    for (const { kind, id, value } of rows) this.#kind(kind).set(id, value)
  }

  get<T>(kind: OwnKind, id: string): T | undefined {
    const value = this.#kind(kind).get(id)
    return value === undefined ? undefined : (JSON.parse(value) as T)
  }

  list<T>(kind: OwnKind): { id: string; value: T }[] {
    return [...this.#kind(kind)].map(([id, value]) => ({ id, value: JSON.parse(value) as T }))
  }

  count(kind: OwnKind): number {
    return this.#kind(kind).size
  }

  async put(kind: OwnKind, id: string, value: unknown): Promise<void> {
    const json = JSON.stringify(value)
    if (json === undefined) throw fail('INTERNAL', { reason: `own row ${kind} ${id} has no value` })
    await this.#write(kind, id, json)
    this.#kind(kind).set(id, json)
  }

  async remove(kind: OwnKind, id: string): Promise<void> {
    await this.#write(kind, id, undefined)
    this.#kind(kind).delete(id)
  }

  #kind(kind: string): Map<string, string> {
    let rows = this.#rows.get(kind)
    if (rows === undefined) this.#rows.set(kind, (rows = new Map()))
    return rows
  }
}
