/** A folder of 100,000 files: its first page, and all of it as JSON. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeWorkplace } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'

const files = 100_000

export const workload: Workload = {
  name: 'listing',
  about: `a folder of ${files} files: its first page, then all of it as JSON, page by page`,
  reach: { firstMs: { atMost: 100 }, allMs: { atMost: 1000 } },
  async prepare() {
    const workplace = await makeWorkplace()
    const many = join(workplace.folder, 'many')
    await mkdir(many)
    for (let index = 0; index < files; index++)
      await writeFile(join(many, `file ${index}.txt`), `${index % 100}`)
    const peer = await workplace.peer('peer')
    await peer.run(['put', '-r', many, '--quiet'])
    const { url, token } = peer.started
    const page = async (cursor: string | undefined): Promise<{ entries: unknown[]; next?: string }> => {
      const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`
      const headers = { authorization: `Bearer ${token}` }
      const answer = await fetch(`${url}/api/v1/list/files/many${query}`, { headers })
      return (await answer.json()) as { entries: unknown[]; next?: string }
    }
    const ours: Contender = {
      name: 'PeerStor',
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
    return { contenders: [ours], close: () => workplace.close() }
  },
}
