/** What every command gets: which peer, how to print, and the signal of Ctrl+C. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type Client, connect } from '../api/client.ts'
import { defaultHome } from '../peer/run-file.ts'
import { Output } from './output.ts'

export interface Common {
  home?: string
  json?: boolean
  quiet?: boolean
}

export class Context {
  readonly home: string
  readonly out: Output
  /** Aborted by the first Ctrl+C. */
  readonly signal: AbortSignal

  constructor(options: Common, signal: AbortSignal) {
    this.home = resolve(options.home ?? process.env['PEERSTOR_HOME'] ?? defaultHome())
    this.out = new Output({ json: options.json === true, quiet: options.quiet === true })
    this.signal = signal
  }

  /** The client of the running peer. */
  client(): Promise<Client> {
    return connect(this.home, this.startCommand)
  }

  /** How a person starts this peer. */
  get startCommand(): string {
    return this.home === resolve(defaultHome()) ? 'peerstor start' : `peerstor start --home ${this.home}`
  }
}

/** Adds one command's arguments and options and its action. */
export type BuildCommand = (command: Command, act: Act) => void

/** Turns a handler into commander's action: the context first, then arguments, options last. */
export type Act = <Args extends unknown[]>(
  handler: (context: Context, ...args: Args) => Promise<void>,
) => (...args: unknown[]) => Promise<void>
