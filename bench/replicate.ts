/** A 1 GiB file put on one peer until it is complete, verified and durable on others. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PeerProcess } from '../src/cli/peer-process.ts'
import { curlUp, GiB, makeWorkplace, randomFile, type Workplace } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'

export const workload: Workload = {
  name: 'replicate',
  about: 'curl -T of 1 GiB until it is durable on 2 and on 3 devices, against the upload to one',
  bytes: GiB,
  limits: { '2 devices': 3, '3 devices': 5 },
  async prepare() {
    const workplace = await makeWorkplace()
    const source = join(workplace.folder, 'random')
    await randomFile(source, GiB)
    const contenders = [1, 2, 3].map((devices) => poolOf(workplace, source, devices))
    return { contenders, close: () => workplace.close() }
  },
}

/** A fresh pool for each round; only the upload and its copies are timed. */
function poolOf(workplace: Workplace, source: string, devices: number): Contender {
  let pool: PeerProcess[] = []
  let round = 0
  return {
    name: `${devices} device${devices === 1 ? '' : 's'}`,
    async before() {
      await Promise.all(pool.map((peer) => peer.stop()))
      await Promise.all(pool.map((peer) => rm(peer.home, { recursive: true, force: true })))
      round += 1
      pool = [await workplace.peer(`${devices}-${round}-0`)]
      for (let index = 1; index < devices; index++) {
        const { code } = await pool[0]!.json<{ code: string }>(['invite'])
        pool.push(await workplace.peer(`${devices}-${round}-${index}`, code))
      }
    },
    async run() {
      const { url, token } = pool[0]!.started
      await curlUp(`${url}/files/files/random?durability=${devices}`, source, token)
      const { copies } = await pool[0]!.json<{ copies: { have: number } }>(['info', 'files/random'])
      if (copies.have < devices) throw new Error(`only ${copies.have} of ${devices} copies`)
    },
    pids: () => pool.flatMap((peer) => (peer.pid === undefined ? [] : [peer.pid])),
  }
}
