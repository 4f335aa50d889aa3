/** Removes an index database, with what SQLite keeps beside it: it is made again from the segments. */
import { rm } from 'node:fs/promises'
import { inMemory } from './sqlite.ts'

/** Nothing happens to one in memory. The store must be closed. */
export async function removeIndex(database: string): Promise<void> {
  if (database === inMemory) return
  for (const end of ['', '-wal', '-shm']) await rm(`${database}${end}`, { force: true })
}
