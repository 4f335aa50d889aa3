/** A folder of very many files: its first page, all of it as JSON, and a start with it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeWorkplace } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'

const files = Number(process.env['PEERSTOR_BENCH_FILES'] ?? 100_000)

interface Page {
  entries: unknown[]
  next?: string
}

export const workload: Workload = {
  name: 'listing',
  about: `a folder of ${files} files: its first page, all pages as JSON, and a start to the first answer`,
  reach: { firstMs: { atMost: 100 }, allMs: { atMost: 1000 }, startMs: { atMost: 2000 } },
  async prepare() {
    // As bin/peerstor starts it.
    process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '../node_modules/.cache/compile')
    const workplace = await makeWorkplace()
    const many = join(workplace.folder, 'many')
    mkdirSync(many)
    for (let index = 0; index < files; index++)
      writeFileSync(join(many, `file ${index}.txt`), `${index % 100}`)
    const peer = await workplace.peer('peer')
    await peer.run(['put', '-r', many, '--quiet'])
    const page = async (cursor: string | undefined): Promise<Page> => {
      const { url, token } = peer.started
      const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`
      const headers = { authorization: `Bearer ${token}` }
      const answer = await fetch(`${url}/api/v1/list/files/many${query}`, { headers })
      return (await answer.json()) as Page
    }
    const list: Contender = {
      name: 'PeerStor, list',
      async run() {
        const began = performance.now()
        let { entries, next } = await page(undefined)
        const firstMs = performance.now() - began
        let count = entries.length
        for (; next !== undefined; count += entries.length) ({ entries, next } = await page(next))
        if (count !== files) throw new Error(`${count} entries were listed`)
        return { firstMs, allMs: performance.now() - began }
      },
      pids: () => [peer.pid!],
    }
    const start: Contender = {
      name: 'PeerStor, start',
      before: async () => void (await peer.stop()),
      async run() {
        const began = performance.now()
        await peer.start()
        await page(undefined)
        return { startMs: performance.now() - began }
      },
    }
    return { contenders: [list, start], close: () => workplace.close() }
  },
}
