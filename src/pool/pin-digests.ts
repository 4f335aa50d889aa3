/**
 * Two devices compare which chunks a folder has pinned at one of them: by digests of 256 parts, each part that
 * differs by digests of its own 256, until few enough ids are left to be sent. The cost follows the difference.
 */
import type { ChunkId } from '../base/words.ts'
import { idBytes } from '../base/words.ts'
import { hash } from '../codec/hash.ts'

/** A page of a set of ids, ascending. */
export type PageOf = (after: ChunkId | undefined, until: ChunkId, limit: number) => ChunkId[]

const pageIds = 1000
const parts = 256
const hashBytes = 16
const entryBytes = 4 + hashBytes
/** Parts with up to so many ids are compared id by id. */
const fewIds = 256
export const digestsBytes = parts * entryBytes

/** All ids of a set with a hex prefix, ascending, a page at a time; `rest` between pages: others want to work too. */
export async function* idsWith(
  page: PageOf,
  prefix: string,
  rest: () => Promise<void>,
): AsyncGenerator<ChunkId[]> {
  const until = prefix.padEnd(64, 'f') as ChunkId
  for (let after = idBefore(prefix); ;) {
    const ids = page(after, until, pageIds)
    if (ids.length > 0) yield ids
    if (ids.length < pageIds) return
    after = ids.at(-1)
    await rest()
  }
}

/** For each byte behind the prefix: how many ids go on with it (4 bytes), and a digest of them (16 bytes). */
export async function digestsOf(page: PageOf, prefix: string, rest: () => Promise<void>): Promise<Buffer> {
  const digests = Buffer.alloc(digestsBytes)
  let part = 0
  let ids: Buffer[] = []
  const close = (): void => {
    if (ids.length === 0) return
    digests.writeUInt32BE(ids.length, part * entryBytes)
    hash(Buffer.concat(ids)).copy(digests, part * entryBytes + 4, 0, hashBytes)
    ids = []
  }
  for await (const found of idsWith(page, prefix, rest))
    for (const id of found.map(idBytes)) {
      const next = id[prefix.length / 2]!
      if (next !== part) close()
      part = next
      ids.push(id)
    }
  close()
  return digests
}

/** The parts in which two sets differ, as prefixes; `few`: its ids can be sent. */
export function differences(
  ours: Uint8Array,
  theirs: Uint8Array,
  prefix: string,
): { prefix: string; few: boolean }[] {
  const [mine, other] = [Buffer.from(ours), Buffer.from(theirs)]
  return Array.from({ length: parts }, (_, part) => part).flatMap((part) => {
    const at = part * entryBytes
    if (mine.subarray(at, at + entryBytes).equals(other.subarray(at, at + entryBytes))) return []
    const most = Math.max(mine.readUInt32BE(at), other.readUInt32BE(at))
    const longer = prefix + part.toString(16).padStart(2, '0')
    return [{ prefix: longer, few: most <= fewIds || longer.length >= mostPrefix }]
  })
}

/** No deeper: whoever has millions of ids with 4 bytes in common chose them. */
export const mostPrefix = 8

/** The id before all with a prefix; undefined when there is none. */
export function idBefore(prefix: string): ChunkId | undefined {
  const first = BigInt(`0x${prefix.padEnd(64, '0')}`)
  return first === 0n ? undefined : ((first - 1n).toString(16).padStart(64, '0') as ChunkId)
}
