/** The own rows of whatever store is open: they stay the same file while a peer changes pools. */
import type { OwnKind, OwnState } from '../store/store.ts'

export class CurrentOwnState implements OwnState {
  #rows: OwnState = new MemoryRows()

  use(rows: OwnState): void {
    this.#rows = rows
  }

  get<T>(kind: OwnKind, id: string): T | undefined {
    return this.#rows.get(kind, id)
  }

  list<T>(kind: OwnKind): { id: string; value: T }[] {
    return this.#rows.list(kind)
  }

  count(kind: OwnKind): number {
    return this.#rows.count(kind)
  }

  put(kind: OwnKind, id: string, value: unknown): Promise<void> {
    return this.#rows.put(kind, id, value)
  }

  remove(kind: OwnKind, id: string): Promise<void> {
    return this.#rows.remove(kind, id)
  }
}

/** Until a store is open, and when the storage folder is missing: sessions live as long as the process. */
class MemoryRows implements OwnState {
  readonly #rows = new Map<string, { kind: OwnKind; id: string; text: string }>()

  get<T>(kind: OwnKind, id: string): T | undefined {
    const row = this.#rows.get(`${kind}/${id}`)
    return row && (JSON.parse(row.text) as T)
  }

  list<T>(kind: OwnKind): { id: string; value: T }[] {
    return [...this.#rows.values()]
      .filter((row) => row.kind === kind)
      .map(({ id, text }) => ({ id, value: JSON.parse(text) as T }))
  }

  count(kind: OwnKind): number {
    return this.list(kind).length
  }

  async put(kind: OwnKind, id: string, value: unknown): Promise<void> {
    this.#rows.set(`${kind}/${id}`, { kind, id, text: JSON.stringify(value) })
  }

  async remove(kind: OwnKind, id: string): Promise<void> {
    this.#rows.delete(`${kind}/${id}`)
  }
}
