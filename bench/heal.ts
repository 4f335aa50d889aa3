/**
 * One of five devices is shut out for good: how fast its copies are made anew over links of 200 Mbit/s. Each device
 * is a host of its own (network namespaces; needs root, `ip` and `tc`).
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { hostsOnOneBridge, whyNoHosts, type Bridge, type Host } from '../test/network/hosts.ts'
import { MiB, randomFile } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'

const megabits = 200
const linkBytes = (megabits * 1e6) / 8
const names = ['a', 'b', 'c', 'd', 'e']
const files = 32
const fileBytes = 16 * MiB
const longestMs = 300_000

interface Status {
  files: { count: number }
  safety: { safe: number }
  storage: { used: number }
}

export const workload: Workload = {
  name: 'heal',
  about: `${files} files of 16 MiB on 5 hosts with links of ${megabits} Mbit/s, one is revoked: full copies again; reference: the link's speed`,
  rounds: 3,
  reach: { ofLinkSpeed: { atLeast: 0.8 } },
  async prepare() {
    const reason = whyNoHosts()
    if (reason !== undefined) {
      console.error(`heal: left out, ${reason}`)
      return { contenders: [] }
    }
    const folder = await mkdtemp(join(tmpdir(), 'peerstor-heal-'))
    const tree = join(folder, 'tree')
    await mkdir(tree)
    for (let number = 0; number < files; number++) await randomFile(join(tree, `random-${number}`), fileBytes)
    const healed = new Healed(folder, tree)
    return {
      contenders: [healed.contender()],
      close: async () => {
        await healed.close()
        await rm(folder, { recursive: true, force: true })
      },
    }
  },
}

/** A fresh pool for each round; only the healing is timed. */
class Healed {
  readonly #folder: string
  readonly #tree: string
  #round = 0
  #bridge: Bridge | undefined

  constructor(folder: string, tree: string) {
    this.#folder = folder
    this.#tree = tree
  }

  contender(): Contender {
    return {
      name: 'one of five revoked',
      before: () => this.#fill(),
      run: () => this.#heal(),
      pids: () => this.#hosts.flatMap(({ pid }) => (pid === undefined ? [] : [pid])),
    }
  }

  async close(): Promise<void> {
    await this.#bridge?.close()
    this.#bridge = undefined
  }

  get #hosts(): Host[] {
    return this.#bridge?.hosts ?? []
  }

  async #fill(): Promise<void> {
    await this.close()
    this.#round += 1
    this.#bridge = await hostsOnOneBridge({ names, folder: join(this.#folder, `${this.#round}`), megabits })
    const [first, ...others] = this.#hosts
    await first!.start()
    for (const host of others) {
      const { code } = await first!.json<{ code: string }>('invite')
      await host.start('--join', code)
    }
    await first!.print('put', '-r', this.#tree)
    await this.#allSafe(first!)
  }

  async #heal(): Promise<Record<string, number>> {
    const [first] = this.#hosts
    const gone = this.#hosts.at(-1)!
    const { storage } = await gone.json<Status>('status')
    await gone.stop()
    const since = performance.now()
    await first!.json('device', 'revoke', gone.name)
    // Until this device has noticed, everything looks safe as before.
    await this.#until(first!, ({ safety }) => safety.safe < files)
    await this.#allSafe(first!)
    const bytesPerSecond = storage.used / ((performance.now() - since) / 1000)
    return {
      copiedMB: storage.used / 1e6,
      MBps: bytesPerSecond / 1e6,
      ofLinkSpeed: bytesPerSecond / linkBytes,
    }
  }

  #allSafe(host: Host): Promise<void> {
    return this.#until(host, (status) => status.files.count === files && status.safety.safe === files)
  }

  async #until(host: Host, holds: (status: Status) => boolean): Promise<void> {
    const end = performance.now() + longestMs
    while (!holds(await host.json<Status>('status'))) {
      if (performance.now() > end) throw new Error('the copies were not made in time')
      await wait(200)
    }
  }
}
