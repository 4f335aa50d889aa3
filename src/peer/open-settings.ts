/** The settings of a running peer, out of four tiers; `config.toml` is read once and written whole. */
import { readFile } from 'node:fs/promises'
import { parse, stringify, type TomlTable } from 'smol-toml'
import { fail } from '../base/errors.ts'
import {
  environmentName,
  isLocalSetting,
  laterSettings,
  settingKey,
  settingKeys,
  settingsTable,
  type SettingKey,
  type SettingLine,
  type SettingOrigin,
  type Settings,
  type SettingsValues,
} from './settings.ts'
import { writeSecret } from '../access/secret-file.ts'

/** Where the values of a peer come from, strongest first. */
export interface SettingsSources {
  flags: Partial<Record<SettingKey, unknown>>
  environment: Readonly<Record<string, string | undefined>>
  /** Path of `config.toml`; it need not exist. */
  file: string
}

interface Held {
  value: unknown
  origin: SettingOrigin
}

/** Reads and checks all tiers; `SETTING_UNKNOWN` or `SETTING_INVALID` when one does not fit. */
export async function openSettings(sources: SettingsSources): Promise<Settings> {
  for (const key of Object.keys(sources.flags)) settingKey(key)
  for (const key of Object.keys(laterSettings)) if (sources.environment[environmentName(key)]) settingKey(key)
  return new OpenSettings(sources, await readConfig(sources.file))
}

class OpenSettings implements Settings {
  readonly #sources: SettingsSources
  /** Raw values of the file. */
  #config: Map<SettingKey, unknown>
  /** What holds now; a setting that is not live keeps its value until the next start. */
  readonly #held = new Map<SettingKey, Held>()
  readonly #listeners = new Set<(key: SettingKey) => void>()
  #writing: Promise<void> = Promise.resolve()

  constructor(sources: SettingsSources, config: Map<SettingKey, unknown>) {
    this.#sources = sources
    this.#config = config
    for (const key of settingKeys) this.#held.set(key, this.#resolve(key))
  }

  get<Key extends SettingKey>(key: Key): SettingsValues[Key] {
    return this.#held.get(key)?.value as SettingsValues[Key]
  }

  list(): SettingLine[] {
    return settingKeys.map((key) => this.#line(key))
  }

  set(name: string, value: string): Promise<SettingLine & { live: boolean }> {
    return this.#change(name, (config, key) => {
      check(key, value)
      config.set(key, tomlValue(value))
    })
  }

  unset(name: string): Promise<SettingLine & { live: boolean }> {
    return this.#change(name, (config, key) => void config.delete(key))
  }

  on(listener: (key: SettingKey) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** One change after the other: saved first, then in force. */
  async #change(
    name: string,
    edit: (config: Map<SettingKey, unknown>, key: SettingKey) => void,
  ): Promise<SettingLine & { live: boolean }> {
    const key = settingKey(name)
    const saved = this.#save(this.#writing, (config) => edit(config, key))
    this.#writing = saved.catch(() => undefined)
    await saved
    const live = this.#apply(key)
    return { ...this.#line(key), live }
  }

  async #save(before: Promise<void>, edit: (config: Map<SettingKey, unknown>) => void): Promise<void> {
    await before
    const config = new Map(this.#config)
    edit(config)
    await writeSecret(this.#sources.file, configText(config))
    this.#config = config
  }

  /** Whether the saved value holds now. */
  #apply(key: SettingKey): boolean {
    const next = this.#resolve(key)
    const now = this.#held.get(key)
    if (JSON.stringify(next.value) === JSON.stringify(now?.value)) {
      this.#held.set(key, next)
      return true
    }
    if (!('live' in settingsTable[key])) return false
    this.#held.set(key, next)
    for (const listener of this.#listeners) listener(key)
    return true
  }

  #line(key: SettingKey): SettingLine {
    const { value, origin } = this.#held.get(key) as Held
    return { key, value, origin, help: settingsTable[key].help }
  }

  #resolve(key: SettingKey): Held {
    const flag = this.#sources.flags[key]
    if (flag !== undefined) return { value: check(key, flag), origin: 'flag' }
    const variable = this.#sources.environment[environmentName(key)]
    if (variable !== undefined && variable !== '')
      return { value: check(key, variable), origin: 'environment' }
    if (this.#config.has(key)) return { value: check(key, this.#config.get(key)), origin: 'config' }
    return { value: check(key, undefined), origin: 'default' }
  }
}

function check(key: SettingKey, raw: unknown): unknown {
  const result = settingsTable[key].schema.safeParse(raw)
  if (result.success) return result.data
  const reason = result.error.issues[0]?.message ?? 'it has another type'
  throw fail('SETTING_INVALID', { key, value: String(raw).slice(0, 200), reason })
}

async function readConfig(file: string): Promise<Map<SettingKey, unknown>> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return ''
    throw fail('BAD_INPUT', { what: file, reason: cause.message }, cause)
  })
  return configOf(file, text)
}

function configOf(file: string, text: string): Map<SettingKey, unknown> {
  const config = new Map<SettingKey, unknown>()
  for (const [name, value] of flatten(parseToml(file, text))) config.set(settingKey(name), value)
  return config
}

/** A `config.toml` that came from elsewhere, without the settings that can start programs: who brought it may not choose them. */
export function withoutLocalSettings(file: string, text: string): string {
  const config = configOf(file, text)
  const kept = new Map([...config].filter(([key]) => !isLocalSetting(key)))
  return kept.size === config.size ? text : configText(kept)
}

function parseToml(file: string, text: string): TomlTable {
  try {
    return parse(text)
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    throw fail('BAD_INPUT', { what: file, reason }, cause)
  }
}

/** `[net] retries = 3` is the key `net.retries`. */
function* flatten(table: TomlTable, prefix = ''): Generator<[string, unknown]> {
  for (const [name, value] of Object.entries(table))
    if (isTable(value)) yield* flatten(value, `${prefix}${name}.`)
    else yield [prefix + name, value]
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function configText(config: ReadonlyMap<SettingKey, unknown>): string {
  const root: Record<string, unknown> = {}
  for (const [key, value] of config) {
    const [first, second] = key.split('.') as [string, string | undefined]
    if (second === undefined) root[first] = value
    else root[first] = { ...(root[first] as object | undefined), [second]: value }
  }
  return `${stringify(root)}\n`
}

/** Text of the command line as the TOML value a person would write. */
function tomlValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text
}
