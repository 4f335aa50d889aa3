/** 10,000 files of 10 KB by `put -r`. */
import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeWorkplace, run, startedOver } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'

const files = 10_000
const fileBytes = 10_000

export const workload: Workload = {
  name: 'small-files',
  about: '10,000 files of 10 KB by put -r, each acknowledged, against cp -r and sync',
  bytes: files * fileBytes,
  async prepare() {
    const workplace = await makeWorkplace()
    const { folder } = workplace
    const source = join(folder, 'small')
    for (let index = 0; index < files; index++) {
      const part = join(source, String(index % 100))
      if (index < 100) await mkdir(part, { recursive: true })
      await writeFile(join(part, `${index}.bin`), randomBytes(fileBytes))
    }
    const peer = await workplace.peer('peer')
    const copy: Contender = {
      name: 'cp -r and sync',
      before: () => rm(join(folder, 'copy'), { recursive: true, force: true }),
      run: async () =>
        void (await run('sh', ['-c', `cp -r ${source} ${folder}/copy && sync -f ${folder}/copy`])),
    }
    const ours: Contender = {
      name: 'PeerStor, put -r',
      before: () => startedOver(workplace, peer),
      async run() {
        const began = performance.now()
        await peer.run(['put', '-r', source, '--quiet'])
        return { filesPerSecond: files / ((performance.now() - began) / 1000) }
      },
      pids: () => [peer.pid!],
    }
    return { contenders: [copy, ours], close: () => workplace.close() }
  },
}
