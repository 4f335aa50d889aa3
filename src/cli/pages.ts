/** Listings come in pages; commands show all of them unless `--limit` asks for one. */
import type { Client, Query } from '../api/client.ts'
import { limits } from '../base/limits.ts'

export interface PageOptions {
  limit?: number
  cursor?: string
}

interface Page<T> {
  entries: T[]
  next?: string
}

/** Every entry of a listing, page by page. */
export async function* readPages<T>(
  client: Client,
  address: string,
  query: Query,
  signal: AbortSignal,
): AsyncGenerator<T> {
  let cursor: string | undefined
  do {
    const page: Page<T> = await client.get(address, { ...query, cursor, limit: limits.listEntries }, signal)
    yield* page.entries
    cursor = page.next
  } while (cursor !== undefined)
}

/** The page that was asked for, or everything as one. */
export async function readList<T>(
  client: Client,
  address: string,
  options: PageOptions,
  query: Query,
  signal: AbortSignal,
): Promise<Page<T>> {
  const { limit, cursor } = options
  if (limit !== undefined || cursor !== undefined)
    return client.get(address, { ...query, limit, cursor }, signal)
  return { entries: await Array.fromAsync(readPages<T>(client, address, query, signal)) }
}
