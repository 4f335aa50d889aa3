/** Peers and commands as real processes of their own: what the demo and the tests of whole pools drive. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fail } from '../base/errors.ts'

/** Arguments that start a PeerStor program with the running Node: flags of Node, then the entry file. */
export type Program = readonly string[]

/** This very program. */
export const thisProgram: Program = [...process.execArgv, process.argv[1] ?? '']

export interface CommandResult {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs one command to its end, whatever its exit code. */
export async function runToEnd(
  program: Program,
  args: readonly string[],
  options: { signal?: AbortSignal; input?: string | undefined } = {},
): Promise<CommandResult> {
  const { signal, input } = options
  const child = spawn(process.execPath, [...program, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => stdout.push(part))
  child.stderr.on('data', (part: Buffer) => stderr.push(part))
  // A command that ends before it read its input closes the pipe; its exit code tells why.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

/** Runs one command that must succeed; resolves to its standard output. */
export async function runCommand(
  program: Program,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const result = await runToEnd(program, args, signal === undefined ? {} : { signal })
  if (result.code === 0) return result.stdout
  throw fail('INTERNAL', { reason: `peerstor ${args[0]} ended with ${result.code}: ${result.stderr.trim()}` })
}

/** The JSON lines that a command prints with `--json`. */
export async function runJson<T>(
  program: Program,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<T[]> {
  const text = await runCommand(program, [...args, '--json'], signal)
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T)
}

/** What `start --json` prints once the peer is ready. */
export interface Started {
  url: string
  token: string
  peer: string
  home: string
}

/** One peer as a process with a home of its own, on loopback. */
export class PeerProcess {
  readonly name: string
  readonly home: string
  readonly #program: Program
  readonly #settings: readonly string[]
  #process: ChildProcess | undefined
  #started: Started | undefined
  #died: string | undefined
  #log: Buffer[] = []

  constructor(program: Program, name: string, home: string, settings: readonly string[] = ['--no-mdns']) {
    this.#program = program
    this.#settings = settings
    this.name = name
    this.home = home
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** How the process ended when nobody asked it to. */
  get died(): string | undefined {
    return this.#died
  }

  get started(): Started {
    if (this.#started === undefined) throw fail('PEER_NOT_RUNNING', { home: this.home, start: 'start()' })
    return this.#started
  }

  /**
   * Starts the process and waits until it is ready; with a code it joins first, or recovers. The code
   * goes through standard input: arguments are for every user of the machine to read.
   */
  async start(signal?: AbortSignal, code?: string, how = '--join'): Promise<Started> {
    const join = code === undefined ? [] : [how, '-']
    const place = [
      '--home',
      this.home,
      '--name',
      this.name,
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--peer-port',
      '0',
    ]
    const args = ['start', '--json', ...place, ...this.#settings, ...join]
    const child = spawn(process.execPath, [...this.#program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#process = child
    child.stdin.on('error', () => undefined)
    child.stdin.end(code)
    const errors: Buffer[] = (this.#log = [])
    child.stderr.on('data', (part: Buffer) => errors.push(part))
    child.on('close', (code, signal) => {
      if (this.#process === child) this.#died = `ended with ${signal ?? code}: ${lastLines(errors)}`
    })
    const ready = once(
      createInterface({ input: child.stdout }),
      'line',
      signal === undefined ? {} : { signal },
    )
    const ended = once(child, 'close').then(([code]) => {
      throw fail('INTERNAL', {
        reason: `${this.name} ended with ${code}: ${lastLines(errors)}`,
      })
    })
    // Once ready has won, a later end (a kill) is nobody's error.
    ended.catch(() => undefined)
    const [line] = (await Promise.race([ready, ended])) as [string]
    this.#started = JSON.parse(line) as Started
    return this.#started
  }

  /** SIGKILL: no chance to save anything. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGTERM; resolves to the exit code. */
  async stop(): Promise<number | null> {
    return await this.#end('SIGTERM')
  }

  async #end(how: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined) return null
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const closed = once(child, 'close') as Promise<[number | null]>
    child.kill(how)
    const [code] = await closed
    return code
  }

  /** Runs a command against this peer; a failure tells how the peer's own log ends. */
  async run(args: readonly string[], signal?: AbortSignal): Promise<string> {
    try {
      return await runCommand(this.#program, [...args, '--home', this.home], signal)
    } catch (thrown) {
      if (thrown instanceof Error)
        thrown.message += `\nthe log of ${this.name} ends:\n${lastLines(this.#log)}`
      throw thrown
    }
  }

  /** Runs a command against this peer with `--json`; its one answer. */
  async json<T>(args: readonly string[], signal?: AbortSignal): Promise<T> {
    const [answer] = await runJson<T>(this.#program, [...args, '--home', this.home], signal)
    if (answer === undefined) throw fail('INTERNAL', { reason: `peerstor ${args[0]} --json printed nothing` })
    return answer
  }
}

function lastLines(output: readonly Buffer[]): string {
  return Buffer.concat(output).toString().trim().split('\n').slice(-8).join('\n')
}
