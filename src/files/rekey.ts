/**
 * After `folder rekey`: seals what a folder keeps anew under its fresh secret, old versions and the trash
 * included, a few files at a time. The device that made the present epoch does it; others count along.
 * A version says the same as before afterwards, with other chunks: path, times and history stay.
 *
 * Nothing is kept of how far it came: what is not sealed under the present secret is what is left to do.
 * The record that names the new chunks comes when as many devices have these as have the old ones.
 */
import { asPeerStorError, isCode } from '../base/errors.ts'
import type { FolderId, RecordHash } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { FolderKeys } from '../codec/codec.ts'
import { isOneSecret } from '../codec/folder-keys.ts'
import type { VersionRow } from '../store/view.ts'
import { ContentWriter, type StoredContent } from './content-writer.ts'
import { copiesOf } from './copies.ts'
import { contentOf } from './download.ts'
import type { FilesParts } from './files-parts.ts'
import { storeContent } from './upload.ts'

/** Versions looked at in one step: a few milliseconds; and sealed in one: they wait for other devices together. */
const lookedAtOnce = 500
const sealedAtOnce = 64
const sealedBytes = 32 * 2 ** 20
/** What could not be had, or not be brought to enough devices, is tried again after this. */
const retryMs = 60_000
const durableMs = 120_000
const idleMs = 3_600_000

/** What is left to seal anew of one folder. */
export interface RekeyState {
  files: number
  bytes: number
  etaSeconds: number | undefined
}

/** One folder: first what is left is counted, so that one can say how long it takes, then it is sealed. */
interface Round {
  folder: FolderId
  keys: FolderKeys
  isCounted: boolean
  /** What is left then was tried before: it waits a while. */
  isSecond: boolean
  /** Number of the last version looked at. */
  after: number
  left: { files: number; bytes: number }
}

/** Not a mistake, and tried again: other devices are needed. */
class NotYet extends Error {}

export class Rekey implements Worker {
  readonly name = 'rekey'
  readonly #parts: FilesParts
  readonly #rounds = new Map<FolderId, Round>()
  /** As people are told. */
  readonly #left = new Map<FolderId, Round['left']>()
  /** Folders whose content was all under these keys when it was last looked at. */
  readonly #done = new Map<FolderId, { keys: FolderKeys; at: number }>()
  /** Versions whose chunks are not what their writer said: they stay as they are, for a person to see. */
  readonly #wrong = new Set<RecordHash>()
  #problem = ''
  #sealedBytes = 0
  #sealingMs = 0

  constructor(parts: FilesParts) {
    this.#parts = parts
  }

  status(): string {
    const lines = [...this.#left.keys()].flatMap((folder) => this.#line(folder) ?? [])
    if (lines.length === 0) return 'everything is sealed under the present keys of its folder'
    return `${lines.join('; ')}${this.#problem === '' ? '' : ` (${this.#problem})`}`
  }

  #line(folder: FolderId): string | undefined {
    const state = this.stateOf(folder)
    if (state === undefined) return undefined
    const name = this.#parts.catalogue.folders().find(({ id }) => id === folder)?.name ?? folder
    const eta = state.etaSeconds === undefined ? '' : `, ${state.etaSeconds} s to go`
    return `${name}: ${state.files} versions, ${state.bytes} bytes left${eta}${this.#whose(folder)}`
  }

  /** Undefined when nothing of the folder is left. */
  stateOf(folder: FolderId): RekeyState | undefined {
    const left = this.#left.get(folder)
    if (left === undefined) return undefined
    const rate = this.#sealedBytes / Math.max(1, this.#sealingMs)
    const etaSeconds = this.#sealedBytes === 0 ? undefined : Math.ceil(left.bytes / rate / 1000)
    return { ...left, etaSeconds }
  }

  /** Folders were given new keys, or somebody asks: look again. */
  hurry(): void {
    this.#done.clear()
  }

  async work(signal: AbortSignal): Promise<WorkResult> {
    let waitMs = idleMs
    for (const folder of this.#rekeyed()) {
      const keys = await this.#parts.catalogue.writeKeys(folder).catch(() => undefined)
      if (keys === undefined || this.#isDone(folder, keys)) continue
      const known = this.#rounds.get(folder)
      const round =
        known !== undefined && isOneSecret(known.keys, keys) ? { ...known, keys } : newRound(folder, keys)
      const result = round.isCounted ? await this.#step(round, signal) : this.#count(round)
      if (result === 'more') return result
      waitMs = Math.min(waitMs, result.waitMs)
    }
    return { waitMs }
  }

  /** Folders that were ever given another secret: of others nothing can be left. */
  #rekeyed(): FolderId[] {
    const { catalogue } = this.#parts
    return catalogue
      .folders()
      .map(({ id }) => id)
      .filter((id) => (catalogue.rekeying(id)?.generation ?? 0) > 0)
  }

  #isDone(folder: FolderId, keys: FolderKeys): boolean {
    const done = this.#done.get(folder)
    return (
      done !== undefined && isOneSecret(done.keys, keys) && this.#parts.clock.monotonicMs() - done.at < idleMs
    )
  }

  #isMine(folder: FolderId): boolean {
    const { catalogue } = this.#parts
    return catalogue.rekeying(folder)?.device === catalogue.device
  }

  #whose(folder: FolderId): string {
    const { catalogue } = this.#parts
    if (this.#isMine(folder)) return ''
    const device = catalogue.rekeying(folder)?.device
    const name = catalogue.devices().find((one) => one.device === device)?.name ?? device ?? 'another device'
    return `, by ${name}`
  }

  /** Counts what a page of versions leaves to do. */
  #count(round: Round): WorkResult {
    const { folder, keys, after } = round
    const page = this.#parts.store.read.withContent(folder, after, lookedAtOnce)
    const left = { ...round.left }
    for (const { row } of page.filter(({ row }) => this.#isOld(row, keys))) {
      left.files += 1
      left.bytes += row.size
    }
    if (page.length === lookedAtOnce) return this.#goOn({ ...round, left, after: page.at(-1)!.n })
    if (left.files > 0) this.#sealNext({ ...round, left, after: 0, isCounted: true })
    else this.#end(folder, keys)
    return left.files > 0 && round.isSecond ? { waitMs: retryMs } : 'more'
  }

  #sealNext(round: Round): 'more' {
    this.#left.set(round.folder, round.left)
    return this.#goOn(round)
  }

  #goOn(round: Round): 'more' {
    this.#rounds.set(round.folder, round)
    return 'more'
  }

  #end(folder: FolderId, keys: FolderKeys): void {
    this.#rounds.delete(folder)
    this.#left.delete(folder)
    this.#done.set(folder, { keys, at: this.#parts.clock.monotonicMs() })
  }

  #isOld(row: VersionRow, keys: FolderKeys): boolean {
    if (this.#wrong.has(row.version)) return false
    try {
      return !isOneSecret(this.#parts.catalogue.keysOf(row.folder, row.sealed ?? row.epoch), keys)
    } catch {
      // Its own epoch's keys are not here; its chunks open without.
      return true
    }
  }

  /** Seals the next files of a folder; at its end, or where another device does it, what is left is counted again. */
  async #step(round: Round, signal: AbortSignal): Promise<WorkResult> {
    const { rows, after } = this.#isMine(round.folder) ? this.#next(round) : { rows: [], after: 0 }
    if (rows.length === 0) return this.#goOn({ ...newRound(round.folder, round.keys), isSecond: true })
    const begun = this.#parts.clock.monotonicMs()
    try {
      this.#requireDevices(rows)
      const { files, bytes } = await this.#reseal(rows, round, signal)
      this.#sealedBytes += bytes
      this.#sealingMs += this.#parts.clock.monotonicMs() - begun
      const left = { files: round.left.files - files, bytes: round.left.bytes - bytes }
      this.#problem = ''
      return this.#sealNext({ ...round, left, after })
    } catch (thrown) {
      signal.throwIfAborted()
      this.#problem = thrown instanceof NotYet ? thrown.message : asPeerStorError(thrown).message
      return { waitMs: retryMs }
    }
  }

  /** The next versions under a former secret, up to so many bytes together. */
  #next({ folder, keys, after }: Round): { rows: VersionRow[]; after: number } {
    const rows: VersionRow[] = []
    let bytes = 0
    for (;;) {
      const page = this.#parts.store.read.withContent(folder, after, lookedAtOnce)
      for (const { n, row } of page) {
        if (this.#isOld(row, keys)) {
          if (rows.length > 0 && bytes + row.size > sealedBytes) return { rows, after }
          rows.push(row)
          bytes += row.size
        }
        after = n
        if (rows.length === sealedAtOnce) return { rows, after }
      }
      if (page.length < lookedAtOnce) return { rows, after }
    }
  }

  /** Sealing begins when enough devices are there to take the new chunks. */
  #requireDevices(rows: readonly VersionRow[]): void {
    const { pool, presence } = this.#parts
    const online = pool.countedPeers().filter((peer) => presence(peer).online).length
    const needed = Math.max(...rows.map((row) => this.#copiesFor(row)))
    if (online < needed)
      throw new NotYet(`${needed} devices are needed for the new chunks, ${online} are connected`)
  }

  /** As many as have the old chunks: on the way no file is less safe than before. */
  #copiesFor(row: VersionRow): number {
    const { have, want } = copiesOf(this.#parts, row.folder, [row]).get(row.version)!
    return Math.max(1, Math.min(have, want))
  }

  async #reseal(
    rows: readonly VersionRow[],
    { folder, keys }: Round,
    signal: AbortSignal,
  ): Promise<{ files: number; bytes: number }> {
    const { catalogue } = this.#parts
    const writers: ContentWriter[] = []
    const sealed: { row: VersionRow; content: StoredContent }[] = []
    try {
      for (const row of rows) {
        const writer = new ContentWriter(this.#parts, keys)
        writers.push(writer)
        const content = await this.#seal(row, keys, writer, signal)
        if (content !== undefined) sealed.push({ row, content })
        else await giveUp(writers.pop()!)
      }
      await this.#spread(folder, sealed, signal)
      await catalogue.reseal(
        folder,
        sealed.map(({ row, content }) => ({ version: row.version, ...content })),
      )
      for (const writer of writers) await writer.keeping(async () => undefined)
    } catch (thrown) {
      for (const writer of writers) await giveUp(writer)
      throw thrown
    }
    return { files: sealed.length, bytes: sealed.reduce((sum, { row }) => sum + row.size, 0) }
  }

  /** Undefined when its chunks can not be had now, or are not what they should be. */
  async #seal(
    row: VersionRow,
    keys: FolderKeys,
    writer: ContentWriter,
    signal: AbortSignal,
  ): Promise<StoredContent | undefined> {
    const alarm: FilesParts['alarm'] = (kind, device) => {
      this.#wrong.add(row.version)
      this.#parts.alarm(kind, device)
    }
    const whole = { first: 0, last: row.size - 1, signal, priority: 'download' } as const
    try {
      const source = contentOf({ ...this.#parts, alarm }, row, whole)
      const content = await storeContent(this.#parts, keys, writer, source, { size: row.size, signal })
      return this.#wrong.has(row.version) || content.size !== row.size ? undefined : content
    } catch (thrown) {
      signal.throwIfAborted()
      if (isCode(thrown, 'CHUNK_INVALID')) this.#wrong.add(row.version)
      else if (!isCode(thrown, 'CHUNK_UNAVAILABLE')) throw thrown
      return undefined
    }
  }

  /** The new chunks are durable here, and then where the old ones are. */
  async #spread(
    folder: FolderId,
    sealed: readonly { row: VersionRow; content: StoredContent }[],
    signal: AbortSignal,
  ): Promise<void> {
    const { store, pool } = this.#parts
    const contents = sealed.map(({ content }) => content)
    await store.commit({
      chunks: contents.flatMap(({ held }) => held),
      index: contents.flatMap(({ index }) => index),
      pins: contents.flatMap(({ pins }) => pins),
    })
    for (const { written } of contents) written()
    const chunks = contents.flatMap(({ chunks }) => chunks)
    // The record that follows takes the old chunks out of use: none of the new ones may be missing.
    if (!chunks.every((id) => store.has(id))) throw new NotYet('new chunks are not on this disk')
    pool.replicate(
      folder,
      contents.flatMap(({ notReplicated }) => notReplicated),
    )
    const copies = Math.max(1, ...sealed.map(({ row }) => this.#copiesFor(row)))
    if (copies < 2 || chunks.length === 0) return
    const have = await pool.durable(chunks, copies, durableMs, { signal })
    if (have < copies) throw new NotYet(`${copies} devices are to keep the new chunks, ${have} do so far`)
  }
}

/** What was sealed for nothing leaves nothing here. */
async function giveUp(writer: ContentWriter): Promise<void> {
  await writer.keeping(() => Promise.reject(new NotYet('given up'))).catch(() => undefined)
}

const newRound = (folder: FolderId, keys: FolderKeys): Round => ({
  folder,
  keys,
  isCounted: false,
  isSecond: false,
  after: 0,
  left: { files: 0, bytes: 0 },
})
