/** One throw-away peer of the demo: a real process with a home of its own, on loopback, killed without mercy. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fail } from '../base/errors.ts'

/** How this very program is started again: the running Node and its entry file. */
const program = [...process.execArgv, process.argv[1] ?? '']

/** Runs one command of this program to its end; resolves to its standard output. */
export async function runCommand(args: readonly string[], signal: AbortSignal): Promise<string> {
  const child = spawn(process.execPath, [...program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], signal })
  const output: Buffer[] = []
  const errors: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => output.push(part))
  child.stderr.on('data', (part: Buffer) => errors.push(part))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return Buffer.concat(output).toString()
  throw fail('INTERNAL', {
    reason: `peerstor ${args[0]} ended with ${code}: ${Buffer.concat(errors).toString().trim()}`,
  })
}

/** The JSON lines that a command with `--json` prints. */
export async function runJson<T>(args: readonly string[], signal: AbortSignal): Promise<T[]> {
  const text = await runCommand([...args, '--json'], signal)
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T)
}

export class DemoPeer {
  readonly name: string
  readonly home: string
  #process: ChildProcess | undefined

  constructor(name: string, home: string) {
    this.name = name
    this.home = home
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Starts the process and waits until it answers; with a code it joins first. */
  async start(signal: AbortSignal, joinCode?: string): Promise<void> {
    const join = joinCode === undefined ? [] : ['--join', joinCode]
    const args = ['start', '--json', '--home', this.home, '--name', this.name, '--host', '127.0.0.1']
    const ports = ['--port', '0', '--peer-port', '0', '--no-mdns', '--contribute', '8GB', '--log', 'error']
    const child = spawn(process.execPath, [...program, ...args, ...ports, ...join], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process = child
    const errors: Buffer[] = []
    child.stderr.on('data', (part: Buffer) => errors.push(part))
    const lines = createInterface({ input: child.stdout })
    const ready = once(lines, 'line', { signal })
    const ended = once(child, 'close').then(([code]) => {
      throw fail('INTERNAL', {
        reason: `${this.name} ended with ${code}: ${Buffer.concat(errors).toString().trim()}`,
      })
    })
    // Once ready has won, a later end (a kill) is nobody's error.
    ended.catch(() => undefined)
    await Promise.race([ready, ended])
  }

  /** SIGKILL: no chance to save anything. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async #end(how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const closed = once(child, 'close')
    child.kill(how)
    await closed
  }

  /** Arguments that make a command talk to this peer. */
  at(): string[] {
    return ['--home', this.home]
  }
}
