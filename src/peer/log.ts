/**
 * Where log lines go: stderr, a rotated file, and whoever embeds the peer. Secrets are never fields
 * (base/log.ts); fields with the name of one are blotted out all the same.
 */
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { pino } from 'pino'
import { PeerStorError } from '../base/errors.ts'
import { createLog, type Log, type LogLevel } from '../base/log.ts'
import { limits } from '../base/limits.ts'

export interface LogOptions {
  level: LogLevel
  /** Also written there, rotated at `limits.logFileBytes`, `limits.logFiles` kept. */
  file?: string | undefined
  /** Lines go here instead of stderr. */
  onLog?: ((level: LogLevel, line: Record<string, unknown>) => void) | undefined
}

export interface PeerLog {
  log: Log
  setLevel: (level: LogLevel) => void
}

const secret = ['token', 'secret', 'password', 'authorization', 'cookie', 'key', 'ck', 'link', 'seed']

export function openLog(options: LogOptions): PeerLog {
  const file = options.file === undefined ? undefined : new RotatedFile(options.file)
  const out = {
    write(line: string): void {
      file?.write(line)
      if (options.onLog === undefined) process.stderr.write(line)
      else options.onLog(levelIn(line), JSON.parse(line) as Record<string, unknown>)
    },
  }
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: errorField },
      redact: { paths: secret.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
    },
    out,
  )
  return {
    log: createLog((level, message, fields) => logger[level](fields, message)),
    setLevel: (level) => void (logger.level = level),
  }
}

/** An error's own properties are not enumerable: without this a line would say `{}`. */
function errorField(error: unknown): unknown {
  if (error instanceof PeerStorError) return { ...error.toJSON(), cause: errorField(error.cause) }
  return error instanceof Error ? error.stack : error
}

function levelIn(line: string): LogLevel {
  return (JSON.parse(line) as { level: LogLevel }).level
}

/** `FILE`, `FILE.1` … : each line is whole, the oldest file is dropped. */
class RotatedFile {
  readonly #path: string
  #size: number

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true })
    this.#path = path
    this.#size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  }

  write(line: string): void {
    try {
      if (this.#size > 0 && this.#size + line.length > limits.logFileBytes) this.#rotate()
      appendFileSync(this.#path, line, { mode: 0o600 })
      this.#size += Buffer.byteLength(line)
    } catch {
      // A full disk must not stop the peer because it can not write that it is full.
    }
  }

  #rotate(): void {
    rmSync(`${this.#path}.${limits.logFiles - 1}`, { force: true })
    for (let number = limits.logFiles - 2; number >= 0; number--) {
      const from = number === 0 ? this.#path : `${this.#path}.${number}`
      if (statSync(from, { throwIfNoEntry: false }) !== undefined)
        renameSync(from, `${this.#path}.${number + 1}`)
    }
    this.#size = 0
  }
}
