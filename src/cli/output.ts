/** Prints for people or, with `--json`, for programs; errors go to stderr in both forms. */
import { type PeerStorError, asPeerStorError } from '../base/errors.ts'
import { type Column, tableText } from './table.ts'
import { oneLine } from './words.ts'

export class Output {
  readonly json: boolean
  readonly quiet: boolean

  constructor(how: { json: boolean; quiet: boolean }) {
    this.json = how.json
    this.quiet = how.quiet
  }

  /** The answer of a command: one line of JSON, or what `show` prints for people. */
  answer(value: unknown, show: () => void): void {
    if (this.json) print(JSON.stringify(value ?? {}))
    else if (!this.quiet) show()
  }

  /** A line for people. */
  line(text = ''): void {
    if (!this.json && !this.quiet) print(text)
  }

  /** Content that was asked for: printed with `--quiet` too. */
  content(text: string): void {
    print(text)
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    if (this.json || this.quiet) return
    for (const text of tableText(columns, rows, process.stdout.columns ?? 0)) print(text)
  }

  /** Something that went wrong while the rest goes on. */
  problem(thrown: unknown): void {
    const error = asPeerStorError(thrown)
    const text = this.json ? JSON.stringify({ error }) : errorText(error)
    process.stderr.write(`${text}\n`)
  }

  /** A remark for people on stderr. */
  note(text: string): void {
    if (!this.json && !this.quiet) process.stderr.write(`${text}\n`)
  }
}

/** `error: <what failed, which thing> — <what to do next> [CODE]` */
export function errorText(error: PeerStorError): string {
  return `error: ${oneLine(error.message)} — ${oneLine(error.next)} [${error.code}]`
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
