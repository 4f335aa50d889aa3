/** Stores and signed batches for tests. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClock } from '../src/base/clock.ts'
import { limits } from '../src/base/limits.ts'
import { createLog, type LogFields } from '../src/base/log.ts'
import { systemRandom } from '../src/base/random.ts'
import {
  idOf,
  type DeviceId,
  type EntryId,
  type EpochId,
  type FolderId,
  type Incarnation,
  type PeerId,
  type PoolId,
  type RecordHash,
} from '../src/base/words.ts'
import { makeRecord, signBatch } from '../src/codec/record-bytes.ts'
import { recordKinds, type Batch, type RecordHead, type SignedRecord } from '../src/codec/record.ts'
import { newSigningKey } from '../src/codec/sign.ts'
import type { LocalStore } from '../src/store/local-store.ts'
import { openStore, type StoreOptions } from '../src/store/open-store.ts'
import { realDisk } from '../src/store/real-disk.ts'
import type { VersionRow } from '../src/store/view.ts'

export const pool = '11'.repeat(32) as PoolId
export const peer = '12D3KooWTestPeer' as PeerId

export interface Line {
  level: string
  message: string
  fields: LogFields
}

/** A home in a temporary folder, its store opened as often as a test likes. */
export class StoreHome {
  readonly home: string
  readonly lines: Line[] = []
  readonly options: StoreOptions

  static async make(changes: Partial<StoreOptions> = {}): Promise<StoreHome> {
    return new StoreHome(await mkdtemp(join(tmpdir(), 'peerstor-store-')), changes)
  }

  constructor(home: string, changes: Partial<StoreOptions> = {}) {
    this.home = home
    this.options = {
      disk: realDisk,
      folder: join(home, 'segments'),
      database: join(home, 'peerstor.db'),
      pool,
      peer,
      contributed: 64 * limits.segmentBytes,
      clock: realClock,
      random: systemRandom,
      log: createLog((level, message, fields) => this.lines.push({ level, message, fields })),
      threaded: false,
      ...changes,
    }
  }

  open(changes: Partial<StoreOptions> = {}): Promise<LocalStore> {
    return openStore({ ...this.options, ...changes })
  }

  async remove(): Promise<void> {
    await rm(this.home, { recursive: true, force: true })
  }
}

/** A device that writes version records. */
export class Author {
  readonly #key = newSigningKey(systemRandom)
  readonly device: DeviceId
  readonly #incarnation = idOf<Incarnation>(systemRandom.bytes(16))
  #seq = 0
  #previous: RecordHash | undefined
  #ms = 1_700_000_000_000

  constructor() {
    this.device = idOf<DeviceId>(systemRandom.bytes(32))
  }

  record(head: Partial<RecordHead> & { kind: number }, body?: Uint8Array): SignedRecord {
    this.#ms += 1
    const record = makeRecord(
      {
        device: this.device,
        incarnation: this.#incarnation,
        seq: this.#seq,
        time: { ms: this.#ms, counter: 0 },
        ...(this.#previous === undefined ? {} : { previous: this.#previous }),
        ...head,
      },
      body,
    )
    this.#seq += 1
    this.#previous = record.hash
    return record
  }

  version(
    folder: FolderId,
    entry: EntryId = newEntry(),
    parents: RecordHash[] = [],
    more: Partial<RecordHead> = {},
  ): SignedRecord {
    const epoch = folder as string as EpochId
    const head = { kind: recordKinds.version, folder, epoch, entry, parents, ...more }
    return this.record(head, systemRandom.bytes(300))
  }

  batch(...records: SignedRecord[]): Batch {
    return signBatch(records, this.#key, pool)
  }
}

export function newEntry(): EntryId {
  return idOf<EntryId>(systemRandom.bytes(16))
}

export function newFolder(): FolderId {
  return idOf<FolderId>(systemRandom.bytes(32))
}

/** The row of an opened version record. */
export function versionRow(record: SignedRecord, path: string, more: Partial<VersionRow> = {}): VersionRow {
  const { head } = record
  return {
    version: record.hash,
    folder: head.folder!,
    epoch: head.epoch!,
    entry: head.entry!,
    device: head.device,
    time: head.time,
    parents: head.parents ?? [],
    status: 'counted',
    kind: 'file',
    path,
    mode: 0o644,
    modified: 1000,
    created: 500,
    size: 10,
    hash: '22'.repeat(32),
    type: 'text/plain',
    category: 'document',
    tags: [],
    description: '',
    target: undefined,
    content: new Uint8Array([1, 2, 3]),
    ...more,
  }
}

/** Takes search and what came later out of an index database: what is left has `user_version` 4. */
export const withoutSearch = `DROP TABLE compared; DROP TABLE codings; DROP TABLE shards; DROP INDEX versions_expiring; DROP TABLE reseals; DROP INDEX records_unopened_reseals;
  ALTER TABLE versions DROP COLUMN sealed; ALTER TABLE versions DROP COLUMN own_hash;
  ALTER TABLE versions DROP COLUMN own_content; ALTER TABLE versions DROP COLUMN own_sealed; ALTER TABLE pins DROP COLUMN falls; DROP TABLE loose; DROP TABLE reconciled; DROP TABLE quarantine; DROP TABLE scars; ALTER TABLE segments DROP COLUMN verified;
  ALTER TABLE segments DROP COLUMN verified_to; DROP INDEX entries_hidden; DROP INDEX versions_priority; DROP TABLE search; DROP TABLE search_new; DROP TABLE search_gone; DROP TABLE search_words;
  DROP TABLE search_terms; DROP TABLE search_classes; DROP TABLE search_facts; DROP TABLE search_sizes; DROP TABLE search_names;
  DROP TABLE categories; ALTER TABLE entries DROP COLUMN search; DROP INDEX versions_replaced;
  ALTER TABLE versions DROP COLUMN gone;
  DROP INDEX contents_by_chunk; DROP INDEX changes_dropped; DROP INDEX records_begin;`

/** Takes the facts of search out of an index database: what is left has `user_version` 16. */
export const withoutFacts = `DROP TABLE compared; DROP TABLE codings; DROP TABLE shards; DROP TABLE search_terms; DROP TABLE search_classes; DROP TABLE search_facts;
  DROP TABLE search_sizes; DROP TABLE search_names; DROP TABLE search_gone; DROP TABLE search_words;
  CREATE TABLE search_gone (at INTEGER PRIMARY KEY, words TEXT NOT NULL);
  CREATE VIRTUAL TABLE search_words USING fts5 (words, content = '', detail = none, tokenize = 'trigram case_sensitive 1');
  CREATE INDEX search_by_category ON search (category);`
