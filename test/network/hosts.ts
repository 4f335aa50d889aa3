/**
 * Hosts with addresses of their own on one bridge: each is a network namespace (Linux, needs root), its cable ends in
 * a namespace that has the bridge. A cable may be slow.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { program } from '../program.ts'
import { findTool } from '../tools.ts'

const run = promisify(execFile)
const inNamespaces = (tool: 'ip' | 'tc', text: string): Promise<unknown> =>
  run(findTool(tool) ?? tool, text.split(' '))

/** Why there can be no hosts here; undefined where there can. */
export function whyNoHosts(): string | undefined {
  if (findTool('ip') === undefined) return 'ip is not installed'
  return process.getuid?.() === 0 ? undefined : 'network namespaces need root'
}

export interface Bridge {
  hosts: Host[]
  /** Stops what runs on the hosts, and removes them. */
  close(): Promise<void>
}

export interface BridgeOptions {
  names: readonly string[]
  /** Homes go here. */
  folder: string
  /** Of each cable and direction, megabits a second; unlimited when left out. */
  megabits?: number
}

/** Host number N, counted from 1, is 10.77.0.N. */
export async function hostsOnOneBridge({ names, folder, megabits }: BridgeOptions): Promise<Bridge> {
  const lan = `peerstor-${process.pid}-lan`
  const hosts = names.map((name) => new Host(`peerstor-${process.pid}-${name}`, name, join(folder, name)))
  const close = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host.stop()))
    for (const namespace of [lan, ...hosts.map((host) => host.namespace)])
      await inNamespaces('ip', `netns del ${namespace}`).catch(() => undefined)
  }
  try {
    await inNamespaces('ip', `netns add ${lan}`)
    await inNamespaces('ip', `-n ${lan} link add name bridge type bridge`)
    await inNamespaces('ip', `-n ${lan} link set bridge up`)
    for (const [index, { namespace }] of hosts.entries()) await layCable(lan, namespace, index + 1, megabits)
  } catch (thrown) {
    await close()
    throw thrown
  }
  return { hosts, close }
}

async function layCable(lan: string, host: string, number: number, megabits?: number): Promise<void> {
  const cable = `cable-${number}`
  await inNamespaces('ip', `netns add ${host}`)
  await inNamespaces('ip', `-n ${lan} link add name ${cable} type veth peer name lan netns ${host}`)
  await inNamespaces('ip', `-n ${lan} link set ${cable} master bridge up`)
  await inNamespaces('ip', `-n ${host} addr add 10.77.0.${number}/24 dev lan`)
  for (const link of ['lo', 'lan']) await inNamespaces('ip', `-n ${host} link set ${link} up`)
  if (megabits === undefined) return
  const shape = `root tbf rate ${megabits}mbit burst 256kb latency 50ms`
  await inNamespaces('tc', `-n ${host} qdisc add dev lan ${shape}`)
  await inNamespaces('tc', `-n ${lan} qdisc add dev ${cable} ${shape}`)
}

export class Host {
  readonly namespace: string
  readonly name: string
  readonly #home: string
  #process: ChildProcess | undefined

  constructor(namespace: string, name: string, home: string) {
    this.namespace = namespace
    this.name = name
    this.#home = home
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Runs a peer here; resolves when it says where it is. */
  async start(...settings: string[]): Promise<void> {
    const place = ['--home', this.#home, '--name', this.name, '--contribute', '2GB', '--log', 'error']
    const [file, args] = this.#command('start', '--json', ...place, ...settings)
    const child = (this.#process = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] }))
    const ended = once(child, 'exit').then(([code]) => assert.fail(`${this.name} ended with ${code}`))
    ended.catch(() => undefined)
    await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])
  }

  async stop(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }

  /** What a command prints with `--json`. */
  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.print(...args)) as T
  }

  /** The same as text: some commands print a line of JSON for each file. */
  async print(...args: string[]): Promise<string> {
    const { stdout } = await run(...this.#command(...args, '--json', '--home', this.#home))
    return stdout
  }

  #command(...args: string[]): [string, string[]] {
    const inside = ['netns', 'exec', this.namespace, process.execPath, ...program]
    return [findTool('ip') ?? 'ip', [...inside, ...args]]
  }
}
