/**
 * One process per place: an exclusive SQLite transaction on an empty file. The system lets go of it
 * when the process dies, however it dies, so there is nothing stale to judge; it also keeps out
 * another peer of the same process.
 */
import { DatabaseSync } from 'node:sqlite'
import { failWhenFull } from './sqlite.ts'

export interface ExclusiveLock {
  release(): void
}

/** Takes the lock, or undefined while somebody else holds it. */
export function takeExclusiveLock(path: string): ExclusiveLock | undefined {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (thrown) {
    database.close()
    if (thrown instanceof Error && /locked|busy/.test(thrown.message)) return undefined
    failWhenFull(thrown, path)
  }
  return { release: () => database.close() }
}
