/** Structured logging: every room gets a `Log`, the peer decides where lines go. Secrets are never fields. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Record<string, unknown>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log whose lines all carry `fields`, as `{ room: 'net' }`. */
  child(fields: LogFields): Log
}

export type LogSink = (level: LogLevel, message: string, fields: LogFields) => void

/** A log that hands each line to `sink`. */
export function createLog(sink: LogSink, bound: LogFields = {}): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      sink(level, message, { ...bound, ...fields })
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => createLog(sink, { ...bound, ...fields }),
  }
}

/** Says nothing. */
export const silentLog: Log = createLog(() => undefined)
