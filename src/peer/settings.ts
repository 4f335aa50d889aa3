/**
 * Every setting once: flag, environment name, config key, type, default, help. Flags, `config`,
 * completion and the Settings page are made from this table. Tiers: flag > `PEERSTOR_*` >
 * `<home>/config.toml` > default.
 */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

const units: Record<string, number> = { '': 1, B: 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }
const times: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `5GB` = 5 x 2^30 bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text.trim())
  if (match === null) return undefined
  const bytes = Number(match[1]) * (units[(match[2] ?? '').toUpperCase()] ?? 1)
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined
}

/** `30d`, `24h`, `5m`, `10s`, `500ms` in milliseconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim())
  return match === null ? undefined : Math.round(Number(match[1]) * (times[match[2] ?? ''] ?? Number.NaN))
}

const asNumber =
  (parse: (text: string) => number | undefined, form: string) =>
  (value: unknown, context: z.RefinementCtx): number => {
    const found = typeof value === 'number' ? value : parse(String(value))
    if (found !== undefined && Number.isFinite(found) && found >= 0) return found
    context.addIssue({ code: 'custom', message: `must be ${form}` })
    return z.NEVER
  }

const size = z.union([z.string(), z.number()]).transform(asNumber(parseSize, 'a size such as 5GB'))
const duration = z
  .union([z.string(), z.number()])
  .transform(asNumber(parseDuration, 'a time such as 30d, 24h or 10s'))
const port = z.coerce.number().int().min(0).max(65_535)
const text = z.string().min(1).max(4096)
const onOff = z.preprocess(
  (value) => (value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value),
  z.boolean(),
)
/** A switch; a listener of its own, `--metrics ADDR:PORT`, is to come. */
const metricsSwitch = z.preprocess(
  (value) => (value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value),
  z.boolean('must be true or false: an address of its own is not available yet'),
)
const list = z.preprocess(
  (value) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((item) => item.trim())
          .filter(Boolean)
      : value,
  z.array(text).max(64),
)
const level = z.preprocess((value) => (value === 'off' ? 0 : value), z.coerce.number().int().min(0).max(9))

interface Setting<Schema extends z.ZodType = z.ZodType> {
  schema: Schema
  help: string
  /** Metavariable of the flag; absent for switches. */
  value?: string
  /** No flag: only config key and environment. */
  flagless?: true
  /** Takes effect without a restart. */
  live?: true
  /** Whoever may set it can have programs run as this user: with the launch token alone, no session, no API token. */
  local?: true
  /** A switch that is on by default and has the flag `--no-x`. */
  negated?: true
}

const setting = <Schema extends z.ZodType>(
  schema: Schema,
  help: string,
  more: Omit<Setting, 'schema' | 'help'> = {},
) => ({
  schema,
  help,
  ...more,
})

export const settingsTable = {
  storage: setting(text.optional(), 'folder for the segments, on any disk', { value: 'DIR' }),
  contribute: setting(size.optional(), 'most bytes of chunks kept here (default 10 % of free space)', {
    value: 'SIZE',
    live: true,
  }),
  host: setting(text.default('0.0.0.0'), 'address every listener binds', { value: 'ADDR' }),
  port: setting(port.default(8080), 'port of the web face; the next free one if busy', { value: 'PORT' }),
  'peer-port': setting(port.default(8081), 'port for other peers; the next free one if busy', {
    value: 'PORT',
  }),
  'public-url': setting(z.url().optional(), 'address of this peer behind a reverse proxy', { value: 'URL' }),
  'tls-cert': setting(text.optional(), 'certificate for https (PEM), in place of the own one', {
    value: 'FILE',
  }),
  'tls-key': setting(text.optional(), 'its private key (PEM)', { value: 'FILE' }),
  'trust-proxy': setting(onOff.default(false), 'trust X-Forwarded-* headers'),
  name: setting(text.max(limits.deviceNameBytes).optional(), 'name of this device (default: host name)', {
    value: 'NAME',
    live: true,
  }),
  zone: setting(text.max(64).optional(), 'failure zone, such as home or office', {
    value: 'ZONE',
    live: true,
  }),
  bootstrap: setting(list.default([]), 'peers to dial at start: multiaddr or host[:port], comma separated', {
    value: 'ADDR,…',
  }),
  advertise: setting(list.default([]), 'more addresses to announce', { value: 'ADDR,…' }),
  mdns: setting(onOff.default(true), 'find peers on the local network', { negated: true }),
  metrics: setting(metricsSwitch.default(true), 'serve /metrics', { negated: true }),
  client: setting(onOff.default(false), 'keep and serve nothing for others'),
  compression: setting(level.default(1), 'zstd level 1 to 9, or off', { value: 'LEVEL', live: true }),
  log: setting(z.enum(['debug', 'info', 'warn', 'error']).default('info'), 'log level', {
    value: 'LEVEL',
    live: true,
  }),
  // Lines of a log hold names that others gave: written to a start-up file of a shell they would be commands.
  'log-file': setting(text.optional(), 'also write logs to this file', { value: 'FILE', local: true }),
  'quiet-token': setting(onOff.default(false), 'print no link with a token'),
  cors: setting(list.default([]), 'origins that may call the API', { flagless: true }),
  'net.dial_timeout': setting(duration.default(10_000), 'time to reach a peer', { flagless: true }),
  'net.retries': setting(
    z.coerce.number().int().min(0).max(100).default(3),
    'how often a request is asked again when its connection breaks',
    { flagless: true },
  ),
  'net.request_timeout': setting(duration.default(30_000), 'time for a peer to answer', { flagless: true }),
  'transfer.parallel': setting(
    z.coerce.number().int().min(1).max(64).default(5),
    'devices that one transfer reads from at once',
    { flagless: true, live: true },
  ),
  'scrub.cycle': setting(
    duration.default(limits.scrubCycleMs),
    'time in which everything on this disk is read and compared once',
    { flagless: true, live: true },
  ),
  'alert.webhook': setting(
    z
      .url({ protocol: /^https?$/, error: 'must be an http or https address' })
      .max(4096)
      .refine(
        (address) => /^https?:\/\/[^/?#]*@/i.exec(address) === null,
        'must have no name and password; put a secret into its path',
      )
      .optional(),
    'address to which alerts are sent as JSON by POST',
    { flagless: true, live: true },
  ),
  'alert.command': setting(
    text.regex(/^[^\0\r\n]*$/, 'must be one line').optional(),
    'program, with arguments, that gets each alert as JSON on its standard input',
    { flagless: true, live: true, local: true },
  ),
  'gc.first': setting(
    duration.default(limits.collectFirstMs),
    'time from the start to the first collection',
    {
      flagless: true,
      live: true,
    },
  ),
  'gc.every': setting(duration.default(limits.collectEveryMs), 'time between two collections', {
    flagless: true,
    live: true,
  }),
  'gc.quarantine': setting(
    duration
      .refine((ms) => ms >= limits.quarantineLeastMs, 'must be at least 2d')
      .default(limits.quarantineMs),
    'how long chunks that nothing needs are kept',
    { flagless: true, live: true },
  ),
  'repair.grace': setting(duration.default(limits.graceMs), 'absence before a device counts as lost', {
    flagless: true,
  }),
} as const satisfies Record<string, Setting>

/**
 * Settings of the contract whose feature does not exist yet. Naming one is an error that says so, wherever
 * it stands: taken silently, it would promise what does not happen.
 */
export const laterSettings: Readonly<Record<string, Pick<Setting, 'value' | 'flagless' | 'negated'>>> = {
  'public-ip': {},
  pex: { negated: true },
  dht: { negated: true },
  upnp: { negated: true },
  relay: { negated: true },
  'limit-up': { value: 'RATE' },
  'limit-down': { value: 'RATE' },
  interactive: {},
  'versions.keep': { flagless: true },
}

export type SettingKey = keyof typeof settingsTable
export type SettingsValues = { [Key in SettingKey]: z.output<(typeof settingsTable)[Key]['schema']> }
export type SettingOrigin = 'flag' | 'environment' | 'config' | 'default'

export const settingKeys = Object.keys(settingsTable) as SettingKey[]

/** The setting of that name, `SETTING_LATER`, or `SETTING_UNKNOWN` with the nearest name. */
export function settingKey(name: string): SettingKey {
  if (Object.hasOwn(settingsTable, name)) return name as SettingKey
  if (Object.hasOwn(laterSettings, name)) throw fail('SETTING_LATER', { key: name })
  const nearest = settingKeys
    .map((key) => ({ key, away: distance(name.toLowerCase().replaceAll('_', '-'), key) }))
    .sort((a, b) => a.away - b.away)[0]
  const near = nearest !== undefined && nearest.away <= Math.max(2, name.length / 3)
  throw fail('SETTING_UNKNOWN', {
    key: name.slice(0, 80),
    hint: near ? ` (did you mean ${nearest.key}?)` : '',
  })
}

/** Whether only the launch token may change it. */
export function isLocalSetting(key: string): boolean {
  return Object.hasOwn(settingsTable, key) && 'local' in settingsTable[key as SettingKey]
}

/** Letters to add, drop or change between two words. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let index = 0; index < Math.min(from.length, 80); index++) {
    const next = [index + 1]
    for (let at = 0; at < to.length; at++) {
      const changed = (row[at] ?? 0) + (from[index] === to[at] ? 0 : 1)
      next.push(Math.min(changed, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** `peer-port` → `PEERSTOR_PEER_PORT`, `net.dial_timeout` → `PEERSTOR_NET_DIAL_TIMEOUT`. */
export function environmentName(key: string): string {
  return `PEERSTOR_${key.toUpperCase().replaceAll(/[-.]/g, '_')}`
}

export interface SettingLine {
  key: SettingKey
  value: unknown
  origin: SettingOrigin
  help: string
}

/** The settings of a running peer; `open-settings.ts` builds them. */
export interface Settings {
  get<Key extends SettingKey>(key: Key): SettingsValues[Key]
  list(): SettingLine[]
  /** Saves to config.toml; `live` tells whether it took effect at once. */
  set(key: string, value: string): Promise<SettingLine & { live: boolean }>
  unset(key: string): Promise<SettingLine & { live: boolean }>
  /** Called with each live setting whose value changed; the result ends it. */
  on(listener: (key: SettingKey) => void): () => void
}
