/** Search among many files: a catalogue's view of a million, asked in turn for what is rare, common and not there, by facts and in every order. */
import { realClock } from '../src/base/clock.ts'
import { createLog } from '../src/base/log.ts'
import { find } from '../src/files/find.ts'
import type { FilesParts } from '../src/files/files-parts.ts'
import type { FindQuery } from '../src/files/files.ts'
import { list } from '../src/files/list.ts'
import type { LocalStore } from '../src/store/local-store.ts'
import { Author, newFolder, StoreHome, versionRow } from '../test/store-fixture.ts'
import { median, type Contender, type Workload } from './harness.ts'

const files = Number(process.env['PEERSTOR_BENCH_FILES'] ?? 1_000_000)
const asked = 20
/** Files of one commit: large ones write each page of the index less often. */
const committed = 8192
const folder = newFolder()

const nouns =
  'report invoice photo holiday budget draft final meeting notes screenshot scan contract backup music track video family garden house travel berlin paris rome kitchen school work letter tax summer winter birthday wedding project design review plan summary data export'.split(
    ' ',
  )
const endings: [string, string, string][] = [
  ['pdf', 'application/pdf', 'document'],
  ['txt', 'text/plain', 'document'],
  ['png', 'image/png', 'image'],
  ['mp3', 'audio/mpeg', 'audio'],
]

/** Numbers that are the same in every run. */
function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return state % below
  }
}

/** A third are photos of a camera, the rest have names of two words and a number. */
function nameOf(
  n: number,
  pick: (below: number) => number,
): { path: string; type: string; category: string } {
  const year = 2000 + pick(26)
  if (n % 3 === 0)
    return {
      path: `camera/${year}/IMG_${String(n).padStart(7, '0')}.JPG`,
      type: 'image/jpeg',
      category: 'image',
    }
  const word = (): string => nouns[pick(nouns.length)] ?? ''
  const [ending, type, category] = endings[pick(endings.length)]!
  const inBig = n % 10 === 1 ? 'big' : `${word()}/${year}`
  return { path: `${inBig}/${word()} ${word()}-${pick(10_000)} ${n}.${ending}`, type, category }
}

async function fill(store: LocalStore): Promise<void> {
  const author = new Author()
  const pick = chance(42)
  for (let made = 0; made < files; made += committed) {
    const numbers = Array.from({ length: Math.min(committed, files - made) }, (_, index) => made + index)
    const records = numbers.map(() => author.version(folder))
    const index = records.map((record, at) => {
      const { path, type, category } = nameOf(numbers[at]!, pick)
      const modified = 946_684_800_000 + pick(800_000_000) * 1000
      const more = {
        type,
        category,
        modified,
        size: pick(10_000_000),
        ...(pick(50) === 0 && { tags: ['blue'] }),
      }
      return { op: 'version' as const, row: versionRow(record, path, more) }
    })
    const batches = Array.from({ length: Math.ceil(records.length / 256) }, (_, batch) =>
      author.batch(...records.slice(batch * 256, batch * 256 + 256)),
    )
    await store.commit({ batches, index })
  }
  while (store.read.searchWaiting() > 0) await store.index([{ op: 'search', limit: 20_000 }])
}

/** What `find` and `list` stand on: one folder of a pool of one. */
function partsOver(store: LocalStore): FilesParts {
  const open = { id: folder, name: 'files', open: true, policy: {} }
  return {
    store,
    clock: realClock,
    log: createLog(() => undefined),
    require: () => undefined,
    catalogue: { folders: () => [open], folderNamed: () => open },
    pool: { want: () => 1, countedPeers: () => [] },
  } as unknown as FilesParts
}

const month = { newer: Date.parse('2014-05-01'), older: Date.parse('2014-06-01') }
const queries: Record<string, (n: number) => FindQuery> = {
  'exact name': (n) => ({ words: `IMG_${String(n * 3000).padStart(7, '0')}` }),
  'beginning of a third of all': () => ({ words: 'img' }),
  'common word': (n) => ({ words: nouns[n % nouns.length] }),
  'part of a word': (n) => ({ words: (nouns[n % nouns.length] ?? '').slice(1, 4) }),
  'three words': (n) => ({ words: `${nouns[n]} ${nouns[n + 1]} ${n}` }),
  'one letter': () => ({ words: 'b' }),
  'two letters inside': () => ({ words: 'vo' }),
  'number inside': (n) => ({ words: String(100_000 + n * 7919) }),
  'not there': (n) => ({ words: `nothing${n}` }),
  'word, tag and size': (n) => ({ words: nouns[n], tags: ['blue'], larger: 5_000_000 }),
  'word, type': (n) => ({ words: nouns[n], type: 'image/png' }),
  'word, a type it never has': () => ({ words: 'img', category: 'audio' }),
  'word, one month': (n) => ({ words: nouns[n], ...month }),
  'word, largest': (n) => ({ words: nouns[n], sort: 'largest' }),
  'word, by name': (n) => ({ words: nouns[n], sort: 'name' }),
  'category, newest': () => ({ category: 'audio' }),
  'type, newest': () => ({ type: 'image/' }),
  'larger, rare': () => ({ larger: 9_999_000 }),
  'larger, common': () => ({ larger: 5_000_000 }),
  smaller: () => ({ smaller: 10_000 }),
  'one month': () => month,
  'type, size and month': () => ({ type: 'image/', larger: 9_000_000, ...month }),
  newest: () => ({ sort: 'newest' }),
  largest: () => ({ sort: 'largest' }),
  smallest: () => ({ sort: 'smallest' }),
  'by name': () => ({ sort: 'name' }),
  'largest of a type': () => ({ type: 'audio/', sort: 'largest' }),
  'largest of a month': () => ({ sort: 'largest', ...month }),
  'a category by name': () => ({ category: 'image', sort: 'name' }),
  'ending, page 5': () => ({ words: 'pdf', limit: 500 }),
}

/** Twenty searches; the times of one in the last column, and of its work on this thread. */
function contender(name: string, query: (n: number) => FindQuery, parts: () => FilesParts): Contender {
  return {
    name,
    run: async () => {
      const times: number[] = []
      const work = process.cpuUsage()
      for (let n = 0; n < asked; n += 1) {
        const since = performance.now()
        await find(parts(), query(n))
        times.push(performance.now() - since)
      }
      const { user, system } = process.cpuUsage(work)
      return { p50Ms: median(times), maxMs: Math.max(...times), cpuMs: (user + system) / 1000 / asked }
    },
  }
}

/** All pages of a tenth of all files, as JSON. */
async function listAll(parts: FilesParts): Promise<Record<string, number>> {
  const since = performance.now()
  let firstPageMs: number | undefined
  let entries = 0
  let cursor: string | undefined
  do {
    const page = await list(parts, 'files/big', { cursor })
    JSON.stringify(page)
    firstPageMs ??= performance.now() - since
    entries += page.entries.length
    cursor = page.next
  } while (cursor !== undefined)
  return { firstPageMs, entries, wholeMs: performance.now() - since }
}

export const workload: Workload = {
  name: 'find',
  about: `${asked} searches among ${files} files, cold start and a listing of a tenth; reference: exact names`,
  rounds: 3,
  reach: { p50Ms: { atMost: 50 } },
  async prepare() {
    const home = await StoreHome.make({ threaded: true })
    let store = await home.open()
    await fill(store)
    const parts = (): FilesParts => partsOver(store)
    const reopen: Contender = {
      name: 'open the store',
      run: async () => {
        await store.close()
        store = await home.open()
      },
    }
    const listing: Contender = { name: 'list a tenth', run: () => listAll(parts()) }
    const searches = Object.entries(queries).map(([name, query]) => contender(name, query, parts))
    const close = async (): Promise<void> => {
      await store.close()
      await home.remove()
    }
    return { contenders: [...searches, listing, reopen], close }
  },
}
