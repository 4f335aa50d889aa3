/** What a peer costs when nothing happens: start, memory, CPU and bytes in 60 idle seconds, alone and in a pool of three. */
import { setTimeout as wait } from 'node:timers/promises'
import type { PeerProcess } from '../src/cli/peer-process.ts'
import { makeWorkplace, MiB, type Workplace } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'
import { cpuSeconds, memory } from './process-meter.ts'

const idleMs = 60_000

export const workloads: Workload[] = [
  {
    name: 'start',
    about: 'start of a peer with an empty home to its first HTTP answer',
    async prepare() {
      const workplace = await makeWorkplace()
      let round = 0
      let peer: PeerProcess | undefined
      const start: Contender = {
        name: 'start to /health',
        before: async () => void (await peer?.stop()),
        async run() {
          peer = await workplace.peer(`peer-${round++}`)
          await fetch(`${peer.started.url}/health`)
        },
      }
      return { contenders: [start], close: () => workplace.close() }
    },
  },
  {
    name: 'idle',
    about: 'memory, CPU seconds and bytes sent in 60 idle seconds, alone and in a pool of three',
    rounds: 1,
    async prepare() {
      const workplace = await makeWorkplace()
      return { contenders: [idle(workplace, 1), idle(workplace, 3)], close: () => workplace.close() }
    },
  },
]

function idle(workplace: Workplace, devices: number): Contender {
  let pool: PeerProcess[] = []
  return {
    name: devices === 1 ? 'alone' : `pool of ${devices}`,
    async before() {
      if (pool.length > 0) return
      pool = [await workplace.peer(`${devices}-0`)]
      for (let index = 1; index < devices; index++) {
        const { code } = await pool[0]!.json<{ code: string }>(['invite'])
        pool.push(await workplace.peer(`${devices}-${index}`, code))
      }
      await wait(5_000)
    },
    async run() {
      const [peer] = pool
      const before = { cpu: cpuSeconds(peer!.pid!) ?? 0, sent: await sentBytes(peer!) }
      await wait(idleMs)
      const { rss = 0, rssAnon = 0, pss = 0 } = memory(peer!.pid!)
      return {
        cpuSeconds: (cpuSeconds(peer!.pid!) ?? 0) - before.cpu,
        sentBytes: (await sentBytes(peer!)) - before.sent,
        rssMiB: rss / MiB,
        rssAnonMiB: rssAnon / MiB,
        pssMiB: pss / MiB,
      }
    },
  }
}

async function sentBytes(peer: PeerProcess): Promise<number> {
  const { url, token } = peer.started
  const response = await fetch(`${url}/metrics/json`, { headers: { authorization: `Bearer ${token}` } })
  const metrics = (await response.json()) as { network: { sent_bytes: number } }
  return metrics.network.sent_bytes
}
