/** The verbs with everything around them that a peer shows: counters, progress of transfers, events. */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Download, Files, PutOptions, PutResult } from '../files/files.ts'
import type { Multipart } from '../files/multipart.ts'
import type { AppendOptions, Uploads, UploadState } from '../files/uploads.ts'
import type { EventLog } from './events.ts'
import type { Metrics } from './metrics.ts'

export interface ObserverParts {
  metrics: Metrics
  events: EventLog
  clock: Clock
  random: Random
}

/** Progress of one upload is told at most so often. */
const progressMs = 250
/** Smaller uploads are done before anybody looks. */
const shownBytes = 1024 * 1024

/** Runs a verb and counts its failure. */
type Counted = <T>(run: () => Promise<T>) => Promise<T>

/** What the events of one transfer say. */
interface Watched extends Pick<PutOptions, 'size' | 'onProgress'> {
  id?: string
  event?: 'upload' | 'download'
}

/** Watches every caller's verbs; `running` counts transfers in flight. */
export class FilesObserver {
  readonly #parts: ObserverParts
  #running = 0

  constructor(parts: ObserverParts) {
    this.#parts = parts
  }

  get running(): number {
    return this.#running
  }

  watch(files: () => Files): Files {
    const { metrics } = this.#parts
    const counted = async <T>(run: () => Promise<T>): Promise<T> => {
      try {
        return await run()
      } catch (thrown) {
        metrics.countError(thrown)
        throw thrown
      }
    }
    return {
      put: (path, source, options = {}) => counted(() => this.#put(files(), path, source, options)),
      get: (path, options) => counted(async () => this.#download(await files().get(path, options))),
      info: (path, options) => counted(() => files().info(path, options)),
      list: (path, options) => counted(() => files().list(path, options)),
      find: (query) => counted(() => files().find(query)),
      large: (options) => counted(() => files().large(options)),
      categories: (folder) => counted(() => files().categories(folder)),
      describe: (path, description) => counted(() => files().describe(path, description)),
      has: (path) => files().has(path),
      look: (path) => files().look(path),
      change: (path, changes) => counted(() => files().change(path, changes)),
      thumbnail: (path, edge, options) => counted(() => files().thumbnail(path, edge, options)),
      scan: (folder, options) => counted(() => files().scan(folder, options)),
      makeFolder: (path) => counted(() => files().makeFolder(path)),
      move: (from, to, options) => counted(() => files().move(from, to, options)),
      copy: (from, to, options) => counted(() => files().copy(from, to, options)),
      remove: (path, options) =>
        counted(async () => {
          const result = await files().remove(path, options)
          metrics.count('deleted', result.removed)
          return result
        }),
      trash: (folder, options) => counted(() => files().trash(folder, options)),
      emptyTrash: (path) => counted(() => files().emptyTrash(path)),
      discardVersions: (path, versions) => counted(() => files().discardVersions(path, versions)),
      versions: (path) => counted(() => files().versions(path)),
      uploads: this.#uploads(() => files().uploads, counted),
      multipart: this.#multipart(() => files().multipart, counted),
      restore: (path, options) => counted(() => files().restore(path, options)),
      restoreAt: (path, at, options) => counted(() => files().restoreAt(path, at, options)),
    }
  }

  #uploads(uploads: () => Uploads, counted: Counted): Uploads {
    const ended = (state: UploadState): UploadState => {
      if (state.result !== undefined) this.#parts.metrics.count('stored')
      return state
    }
    return {
      begin: (upload) => counted(async () => ended(await uploads().begin(upload))),
      state: (id, options) => counted(() => uploads().state(id, options)),
      append: (id, offset, source, options = {}) =>
        counted(async () => ended(await this.#append(uploads(), id, offset, source, options))),
      join: (ids, upload, options) => counted(async () => ended(await uploads().join(ids, upload, options))),
      remove: (id) => counted(() => uploads().remove(id)),
      list: () => uploads().list(),
    }
  }

  #multipart(multipart: () => Multipart, counted: Counted): Multipart {
    return {
      begin: (upload) => counted(() => multipart().begin(upload)),
      put: (path, id, number, source, options) =>
        counted(async () => {
          this.#running += 1
          try {
            return await multipart().put(path, id, number, source, options)
          } finally {
            this.#running -= 1
          }
        }),
      parts: (path, id) => multipart().parts(path, id),
      complete: (path, id, wanted, options) =>
        counted(async () => {
          const result = await multipart().complete(path, id, wanted, options)
          this.#parts.metrics.count('stored')
          return result
        }),
      abort: (path, id) => counted(() => multipart().abort(path, id)),
      open: (folder) => multipart().open(folder),
    }
  }

  async #append(
    uploads: Uploads,
    id: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    options: AppendOptions,
  ): Promise<UploadState> {
    const { path, size } = await uploads.state(id)
    const progress = this.#progress(path, { ...options, size: size ?? options.size, id })
    this.#running += 1
    try {
      const state = await uploads.append(id, offset, source, { ...options, onProgress: progress.on })
      if (state.result !== undefined) progress.end('done')
      return state
    } catch (thrown) {
      progress.end('failed')
      throw thrown
    } finally {
      this.#running -= 1
    }
  }

  async #put(
    files: Files,
    path: string,
    source: AsyncIterable<Uint8Array>,
    options: PutOptions,
  ): Promise<PutResult> {
    const progress = this.#progress(path, options)
    this.#running += 1
    try {
      const result = await files.put(path, source, { ...options, onProgress: progress.on })
      this.#parts.metrics.count('stored')
      progress.end('done')
      return result
    } catch (thrown) {
      progress.end('failed')
      throw thrown
    } finally {
      this.#running -= 1
    }
  }

  /** Events of one upload or download; none for a small one. */
  #progress(
    path: string,
    { size, onProgress, id: named, event = 'upload' }: Watched,
  ): { on: NonNullable<PutOptions['onProgress']>; end: (state: 'done' | 'failed') => void } {
    const { events, clock, random } = this.#parts
    let id = named
    let bytes = 0
    let told = Number.NEGATIVE_INFINITY
    const tell = (state: 'running' | 'done' | 'failed'): void => {
      if (Math.max(bytes, size ?? 0) < shownBytes) return
      told = clock.monotonicMs()
      id ??= random.bytes(8).toString('hex')
      events.publish({ type: event, data: { id, path, bytes, total: size ?? null, state } })
    }
    const on: NonNullable<PutOptions['onProgress']> = (progress) => {
      bytes = progress.bytes
      if (clock.monotonicMs() - told >= progressMs) tell('running')
      onProgress?.(progress)
    }
    return { on, end: tell }
  }

  #download(download: Download): Download {
    return { ...download, bytes: this.#read(download) }
  }

  async *#read({ path, bytes, first, last }: Download): AsyncGenerator<Uint8Array> {
    const progress = this.#progress(path, { size: last - first + 1, event: 'download' })
    let state: 'done' | 'failed' = 'failed'
    let read = 0
    this.#running += 1
    try {
      for await (const piece of bytes) {
        read += piece.length
        yield piece
        progress.on({ bytes: read, total: undefined, chunks: 0 })
      }
      state = 'done'
      this.#parts.metrics.count('retrieved')
    } catch (thrown) {
      this.#parts.metrics.countError(thrown)
      throw thrown
    } finally {
      // Also where the reader has gone away.
      progress.end(state)
      this.#running -= 1
    }
  }
}
