/** Peak memory of the peer while a large file comes in, against a smaller one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { GiB, makeWorkplace, MiB, startedOver } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'

export const workload: Workload = {
  name: 'memory',
  about: 'peak memory of the peer during an upload of 10 GiB against 512 MiB (random bytes, by curl)',
  rounds: 1,
  async prepare() {
    const workplace = await makeWorkplace()
    const peer = await workplace.peer('peer')
    const upload = (name: string, bytes: number): Contender => ({
      name,
      before: () => startedOver(workplace, peer),
      async run() {
        const { url, token } = peer.started
        const target = `${url}/files/files/random`
        const pipe = `head -c ${bytes} /dev/urandom | curl -sS --fail-with-body -H "Authorization: Bearer ${token}" -T - -o /dev/null ${target}`
        const [code] = (await once(spawn('sh', ['-c', pipe], { stdio: 'inherit' }), 'close')) as [number]
        if (code !== 0) throw new Error(`the upload ended with ${code}`)
      },
      pids: () => [peer.pid!],
    })
    return {
      contenders: [upload('512 MiB', 512 * MiB), upload('10 GiB', 10 * GiB)],
      close: () => workplace.close(),
    }
  },
}
