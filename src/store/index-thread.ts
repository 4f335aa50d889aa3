/**
 * The store thread: owns the write connection of the index database and its checkpoints, so that no
 * transaction ever blocks the main thread. It receives groups by message and answers when each is
 * committed. `openIndexInline` is the same on the caller's thread: simulator, tests, small tools.
 */
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { fail } from '../base/errors.ts'
import { compactOps, type IndexGroup } from './index-group.ts'
import { OwnRows, type OwnRow } from './own-rows.ts'
import { SqliteIndex, type IndexIdentity, type IndexState } from './sqlite-index.ts'
import { inMemory, sqliteCode, type Sqlite } from './sqlite.ts'

/** The write side of the database as the store uses it, on whichever thread it is. */
export interface IndexWriter {
  readonly state: IndexState
  /** The connection, when it is on this thread: `:memory:` has no second one. */
  readonly shared: Sqlite | undefined
  readonly ownRows: readonly OwnRow[]
  apply(group: IndexGroup): Promise<void>
  dropStrayPins(): Promise<void>
  putOwn(kind: string, id: string, value: string | undefined): Promise<void>
  close(): Promise<void>
}

export interface IndexPlace {
  /** The index database, or `:memory:`. */
  path: string
  /** The database of rows that only this peer knows; its own file, so that its syncs wait for no bulk write. */
  own: string
  identity: IndexIdentity
}

/** Opens the index on this thread; throws SQLite's error when the file is damaged. */
export function openIndexInline({ path, own, identity }: IndexPlace): IndexWriter {
  const rows = new OwnRows(own)
  let index: SqliteIndex
  try {
    index = new SqliteIndex(path, identity)
  } catch (thrown) {
    rows.close()
    throw thrown
  }
  return {
    state: index.state(),
    shared: path === inMemory ? index.sql : undefined,
    ownRows: rows.all(),
    apply: async (group) => index.apply(group),
    dropStrayPins: async () => index.dropStrayPins(),
    putOwn: async (kind, id, value) => rows.put(kind, id, value),
    close: async () => {
      index.close()
      rows.close()
    },
  }
}

type Request =
  | { call: 'open'; place: IndexPlace }
  | { call: 'apply'; group: IndexGroup }
  | { call: 'dropStrayPins' }
  | { call: 'putOwn'; kind: string; id: string; value: string | undefined }
  | { call: 'close' }

type Answer =
  | { number: number; result: unknown }
  | { number: number; error: { message: string; errcode: number } }

/** Opens the index on its own thread. */
export async function openIndexThread(place: IndexPlace): Promise<IndexWriter> {
  const thread = new IndexThread()
  const opened = thread.call({ call: 'open', place })
  const { state, ownRows } = (await opened.catch(async (thrown: unknown) => {
    await thread.end()
    throw thrown
  })) as { state: IndexState; ownRows: OwnRow[] }
  return {
    state: { ...state, logKey: Buffer.from(state.logKey) },
    shared: undefined,
    ownRows,
    apply: async (group) =>
      void (await thread.call({ call: 'apply', group: { ...group, ops: compactOps(group.ops) } })),
    dropStrayPins: async () => void (await thread.call({ call: 'dropStrayPins' })),
    putOwn: async (kind, id, value) => void (await thread.call({ call: 'putOwn', kind, id, value })),
    close: async () => {
      await thread.call({ call: 'close' })
      await thread.end()
    },
  }
}

/** This side of the thread: numbered calls and their answers. */
class IndexThread {
  readonly #worker = new Worker(new URL(import.meta.url), { workerData: { role: 'index' } })
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >()
  #number = 0
  #ended: Error | undefined

  constructor() {
    this.#worker.on('message', (answer: Answer) => this.#take(answer))
    this.#worker.on('error', (error: unknown) =>
      this.#stop(error instanceof Error ? error : new Error(String(error))),
    )
    this.#worker.on('exit', () => this.#stop(fail('INTERNAL', { reason: 'the store thread has ended' })))
    // A store that is open but idle does not keep the process alive by itself.
    this.#worker.unref()
  }

  call(request: Request): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    this.#number += 1
    const number = this.#number
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref()
      this.#waiting.set(number, { resolve, reject })
      this.#worker.postMessage({ number, request })
    })
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #take(answer: Answer): void {
    const waiting = this.#waiting.get(answer.number)
    this.#waiting.delete(answer.number)
    if (this.#waiting.size === 0) this.#worker.unref()
    if ('error' in answer) {
      const { message, errcode } = answer.error
      waiting?.reject(Object.assign(new Error(message), { errcode }))
    } else waiting?.resolve(answer.result)
  }

  #stop(error: Error): void {
    this.#ended ??= error
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}

/** The thread's side: serves calls until it is ended. */
export function runIndexWorker(): void {
  const port = parentPort!
  let index: IndexWriter | undefined
  const answer = async (request: Request): Promise<unknown> => {
    if (request.call === 'open') {
      const { identity } = request.place
      index = openIndexInline({
        ...request.place,
        identity: { ...identity, logKey: Buffer.from(identity.logKey) },
      })
      return { state: index.state, ownRows: index.ownRows }
    }
    if (request.call === 'apply') return index?.apply(request.group)
    if (request.call === 'dropStrayPins') return index?.dropStrayPins()
    if (request.call === 'putOwn') return index?.putOwn(request.kind, request.id, request.value)
    return index?.close()
  }
  port.on('message', ({ number, request }: { number: number; request: Request }) => {
    answer(request).then(
      (result) => port.postMessage({ number, result }),
      (thrown: unknown) => {
        const message = thrown instanceof Error ? thrown.message : String(thrown)
        port.postMessage({ number, error: { message, errcode: sqliteCode(thrown) } })
      },
    )
  })
}

if (!isMainThread && (workerData as { role?: unknown } | null)?.role === 'index') runIndexWorker()
