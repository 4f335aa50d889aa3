/** 1 GiB again with one byte more at its front. */
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { GiB, makeWorkplace, MiB, randomFile, run, startedOver } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'

export const workload: Workload = {
  name: 'insert',
  about: '1 GiB put again with one byte inserted at its front, against its first upload',
  bytes: GiB,
  limits: { 'PeerStor, again': 1 },
  reach: { storedMB: { atMost: 2 } },
  async prepare() {
    const workplace = await makeWorkplace()
    const source = join(workplace.folder, 'random')
    const longer = join(workplace.folder, 'longer')
    await randomFile(source, GiB)
    await copyBehind(source, longer)
    const peer = await workplace.peer('peer')
    const put = async (file: string): Promise<Record<string, number>> => {
      const { url, token } = peer.started
      const auth = `Authorization: Bearer ${token}`
      const target = `${url}/files/files/random`
      const { stdout } = await run('curl', [
        '-sS',
        '--fail-with-body',
        '-H',
        auth,
        '-H',
        'Expect:',
        '-T',
        file,
        target,
      ])
      return { storedMB: (JSON.parse(stdout) as { sentBytes: number }).sentBytes / 1e6 }
    }
    const first: Contender = {
      name: 'first upload',
      before: () => startedOver(workplace, peer),
      run: () => put(source),
      pids: () => [peer.pid!],
    }
    const again: Contender = { name: 'PeerStor, again', run: () => put(longer), pids: () => [peer.pid!] }
    return { contenders: [first, again], close: () => workplace.close() }
  },
}

/** A copy with one byte in front. */
async function copyBehind(from: string, to: string): Promise<void> {
  const source = await open(from)
  const target = await open(to, 'w')
  await target.write(Buffer.from('!'))
  const block = Buffer.alloc(4 * MiB)
  const { size } = await stat(from)
  for (let at = 0; at < size; at += block.length) {
    const { bytesRead } = await source.read(block, 0, block.length, at)
    await target.write(block, 0, bytesRead, at + 1)
  }
  await target.sync()
  await source.close()
  await target.close()
}
