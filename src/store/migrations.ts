/**
 * The index database's tables, as numbered steps: a database of an older program goes through the
 * missing ones. Ids that occur often are rows of small tables, and stand elsewhere as integers.
 */
import type { DatabaseSync } from 'node:sqlite'
import { fail } from '../base/errors.ts'

const indexTables = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE folders (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
CREATE TABLE devices (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
CREATE TABLE peers (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
-- Segment files: all bytes, and those of chunks and batches that moved or were dropped.
CREATE TABLE segments (number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, dead INTEGER NOT NULL DEFAULT 0,
  retired INTEGER NOT NULL DEFAULT 0);

-- Every chunk that is named anywhere; with a segment when it is on this disk.
CREATE TABLE chunks (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, segment INTEGER, offset INTEGER, length INTEGER);
CREATE INDEX chunks_by_place ON chunks (segment, offset) WHERE segment IS NOT NULL;
CREATE TABLE pins (chunk INTEGER NOT NULL, folder INTEGER NOT NULL, device INTEGER NOT NULL, change INTEGER NOT NULL,
  PRIMARY KEY (chunk, folder, device)) WITHOUT ROWID;
CREATE TABLE holdings (chunk INTEGER NOT NULL, peer INTEGER NOT NULL, PRIMARY KEY (chunk, peer)) WITHOUT ROWID;
CREATE INDEX holdings_by_peer ON holdings (peer, chunk);
CREATE TABLE known (folder INTEGER NOT NULL, p BLOB NOT NULL, chunk INTEGER NOT NULL, ck BLOB NOT NULL,
  length INTEGER NOT NULL, PRIMARY KEY (folder, p)) WITHOUT ROWID;

CREATE TABLE batches (n INTEGER PRIMARY KEY, last BLOB NOT NULL UNIQUE, segment INTEGER NOT NULL,
  offset INTEGER NOT NULL, length INTEGER NOT NULL);
CREATE INDEX batches_by_place ON batches (segment, offset);
CREATE TABLE records (n INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, batch INTEGER NOT NULL, kind INTEGER NOT NULL,
  folder INTEGER, epoch BLOB, entry BLOB, device INTEGER NOT NULL, incarnation BLOB NOT NULL, seq INTEGER NOT NULL,
  previous BLOB, ms INTEGER NOT NULL, counter INTEGER NOT NULL, parents BLOB, body_hash BLOB,
  -- Place in the device's chain.
  position INTEGER NOT NULL,
  -- Versions: 0 not opened yet, 1 opened, 2 its body can not be opened.
  opened INTEGER NOT NULL DEFAULT 0);
CREATE INDEX records_by_kind ON records (kind, n);
CREATE INDEX records_by_device ON records (device, position);
CREATE INDEX records_by_previous ON records (previous) WHERE previous IS NOT NULL;
CREATE INDEX records_unopened ON records (folder, n) WHERE kind = 11 AND opened = 0;

-- What this peer tells others: kind 0 batch, 1 chunk held, 2 chunk dropped.
CREATE TABLE changes (number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, ref INTEGER NOT NULL);
CREATE TABLE feeds (peer INTEGER PRIMARY KEY, database BLOB NOT NULL, change INTEGER NOT NULL);
CREATE TABLE statements (device INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE seen (peer INTEGER PRIMARY KEY, at INTEGER NOT NULL, addresses TEXT NOT NULL);

-- The view. A version's number is its record's; status 0 counted, 1 held, 2 future.
CREATE TABLE versions (n INTEGER PRIMARY KEY, folder INTEGER NOT NULL, entry BLOB NOT NULL, status INTEGER NOT NULL,
  replaced INTEGER NOT NULL DEFAULT 0, listed INTEGER NOT NULL DEFAULT 0,
  kind TEXT NOT NULL, path TEXT NOT NULL, mode INTEGER NOT NULL, modified INTEGER NOT NULL, created INTEGER NOT NULL,
  size INTEGER NOT NULL, hash BLOB NOT NULL, type TEXT NOT NULL, category TEXT NOT NULL, tags TEXT NOT NULL,
  description TEXT NOT NULL, target TEXT, content BLOB NOT NULL);
CREATE INDEX versions_by_entry ON versions (folder, entry);
CREATE INDEX versions_by_path ON versions (folder, path);
CREATE INDEX versions_held ON versions (folder, n) WHERE status = 1;
CREATE INDEX versions_future ON versions (n) WHERE status = 2;
CREATE INDEX versions_unlisted ON versions (n) WHERE listed = 0;
-- parent (a record hash) is replaced by version child.
CREATE TABLE replaces (parent BLOB NOT NULL, child INTEGER NOT NULL, PRIMARY KEY (parent, child)) WITHOUT ROWID;
CREATE TABLE contents (version INTEGER NOT NULL, chunk INTEGER NOT NULL, PRIMARY KEY (version, chunk)) WITHOUT ROWID;
CREATE TABLE entries (n INTEGER PRIMARY KEY, folder INTEGER NOT NULL, entry BLOB NOT NULL, version INTEGER NOT NULL,
  path TEXT NOT NULL, parent TEXT NOT NULL, removed INTEGER NOT NULL, ms INTEGER NOT NULL,
  versions INTEGER NOT NULL, conflicts BLOB NOT NULL,
  shadowed INTEGER NOT NULL DEFAULT 0, UNIQUE (folder, entry));
CREATE INDEX entries_by_path ON entries (folder, path) WHERE removed = 0;
CREATE INDEX entries_by_parent ON entries (folder, parent, path) WHERE removed = 0 AND shadowed = 0;
CREATE INDEX entries_removed ON entries (folder, ms DESC, n) WHERE removed = 1;
-- Folders that paths imply or that are entries, with the sums of everything below.
CREATE TABLE paths (folder INTEGER NOT NULL, path TEXT NOT NULL, parent TEXT NOT NULL, files INTEGER NOT NULL,
  bytes INTEGER NOT NULL, entries INTEGER NOT NULL, PRIMARY KEY (folder, path)) WITHOUT ROWID;
CREATE INDEX paths_by_parent ON paths (folder, parent, path);
`

/** Ends of each device's chain: one, unless it forked. */
const headsTable = `
CREATE TABLE heads (device INTEGER NOT NULL, record INTEGER NOT NULL, PRIMARY KEY (device, record)) WITHOUT ROWID;
INSERT INTO heads SELECT r.device, r.n FROM records r
  WHERE NOT EXISTS (SELECT 1 FROM records c WHERE c.previous = r.hash AND c.device = r.device);
`

/** Whether all bodies of a batch are here: who passes one on may leave some out. */
const wholeBatches = `ALTER TABLE batches ADD COLUMN whole INTEGER NOT NULL DEFAULT 1;`

/** Those that are asked for again, without looking at all. */
const partialBatches = `CREATE INDEX batches_partial ON batches (n) WHERE whole = 0;`

/**
 * What search looks through (sqlite-search.ts), and the sums of categories. Filled by `SqliteView.fillSearch`
 * where there are entries already: texts are folded by the program.
 */
const searchTables = `
CREATE TABLE search (at INTEGER PRIMARY KEY, entry INTEGER NOT NULL, folder INTEGER NOT NULL, category TEXT NOT NULL,
  name TEXT NOT NULL, label TEXT NOT NULL, rest TEXT NOT NULL, tags TEXT NOT NULL);
CREATE INDEX search_by_name ON search (name);
CREATE INDEX search_by_category ON search (category);
-- Rows whose words are not in the index of groups yet, and words that are still in it.
CREATE TABLE search_new (at INTEGER PRIMARY KEY);
CREATE TABLE search_gone (at INTEGER PRIMARY KEY, words TEXT NOT NULL);
CREATE VIRTUAL TABLE search_words USING fts5 (words, content = '', detail = none, tokenize = 'trigram case_sensitive 1');
ALTER TABLE entries ADD COLUMN search INTEGER;
CREATE TABLE categories (folder INTEGER NOT NULL, category TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY (folder, category)) WITHOUT ROWID;
INSERT INTO categories SELECT e.folder, v.category, count(*), sum(v.size) FROM entries e JOIN versions v ON v.n = e.version
  WHERE e.removed = 0 AND e.shadowed = 0 AND v.kind <> 'folder' GROUP BY e.folder, v.category;
INSERT INTO meta SELECT 'unsearched', 1 WHERE EXISTS (SELECT 1 FROM entries);
`

/** Which versions name a chunk, and whether this disk ever dropped it. */
const namedChunks = `
CREATE INDEX contents_by_chunk ON contents (chunk);
CREATE INDEX changes_dropped ON changes (ref) WHERE kind = 2;
`

/** First records of incarnations: few, and one that comes twice is forged. */
const beginnings = `CREATE INDEX records_begin ON records (incarnation, device) WHERE seq = 0;`

/** Bit 1: expired, bit 2: discarded. */
const goneVersions = `
ALTER TABLE versions ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
CREATE INDEX versions_replaced ON versions (folder, n) WHERE replaced = 1;
`

/** Copies of the batches that a catalogue cannot be opened without, for when the storage folder is away. */
const spareBatches = `CREATE TABLE spare (last BLOB PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;`

/** Entries that a later one hides: few, so that a listing finds none without reading. */
const hiddenEntries = `CREATE INDEX entries_hidden ON entries (folder, path) WHERE removed = 0 AND shadowed = 1;`

/** They moved to a file of their own (`spare-copies.ts`). */
const noSpareBatches = `DROP TABLE spare;`

/** Versions that ask for the most copies (`priorityTag`): few. */
const priorityVersions = `
CREATE INDEX versions_priority ON versions (folder) WHERE instr(tags, '"priority:high"') > 0;
`

/** Versions with an expiry of their own (`expiryTag`): few. */
const expiringVersions = `
CREATE INDEX versions_expiring ON versions (folder) WHERE instr(tags, '"expires:') > 0;
`

/**
 * Scrubbing: when a segment was last read whole and how far it went then; chunks whose bytes are wrong, where
 * they lie; places of other damage that was made good.
 */
const scrubbed = `
ALTER TABLE segments ADD COLUMN verified INTEGER;
ALTER TABLE segments ADD COLUMN verified_to INTEGER NOT NULL DEFAULT 0;
CREATE TABLE quarantine (chunk INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
  length INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE scars (segment INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (segment, offset)) WITHOUT ROWID;
`

/**
 * Collection: wall time at which a release fells a pin (null: it stands); chunks here that no pin holds, since when,
 * and whether a release says so; folders whose pins were compared with what their members need, since this index
 * was made.
 */
const released = `
ALTER TABLE pins ADD COLUMN falls INTEGER;
CREATE TABLE loose (chunk INTEGER PRIMARY KEY, since INTEGER NOT NULL, released INTEGER NOT NULL);
CREATE TABLE reconciled (folder INTEGER PRIMARY KEY, at INTEGER NOT NULL);
`

/** Content sealed anew under a later secret: what the records say, and what a version said itself before. */
const reseals = `
CREATE TABLE reseals (record INTEGER PRIMARY KEY, version BLOB NOT NULL, counts INTEGER NOT NULL, size INTEGER NOT NULL,
  hash BLOB NOT NULL, content BLOB NOT NULL);
CREATE INDEX reseals_by_version ON reseals (version);
ALTER TABLE versions ADD COLUMN sealed BLOB;
ALTER TABLE versions ADD COLUMN own_hash BLOB;
ALTER TABLE versions ADD COLUMN own_content BLOB;
ALTER TABLE versions ADD COLUMN own_sealed BLOB;
CREATE INDEX records_unopened_reseals ON records (folder, n) WHERE kind = 16 AND opened = 0;
`

/**
 * Facts of search beside its texts: narrow rows by time, class, size and name (sqlite-search.ts). Rows that are
 * there already get theirs in the background, behind the number `unfilled`; words are indexed anew with marks of
 * class and size.
 */
const searchFacts = `
DROP INDEX search_by_category;
CREATE TABLE search_classes (n INTEGER PRIMARY KEY, folder INTEGER NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL,
  category TEXT NOT NULL, rows INTEGER NOT NULL DEFAULT 0, UNIQUE (folder, kind, type, category));
CREATE TABLE search_facts (at INTEGER PRIMARY KEY, class INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE INDEX search_facts_by_class ON search_facts (class, size);
CREATE TABLE search_sizes (size INTEGER NOT NULL, at INTEGER NOT NULL, class INTEGER NOT NULL,
  PRIMARY KEY (size, at)) WITHOUT ROWID;
CREATE TABLE search_names (key TEXT NOT NULL, at INTEGER NOT NULL, class INTEGER NOT NULL, size INTEGER NOT NULL,
  PRIMARY KEY (key, at DESC)) WITHOUT ROWID;
DROP TABLE search_words;
DROP TABLE search_gone;
CREATE TABLE search_gone (at INTEGER PRIMARY KEY, words TEXT NOT NULL, class TEXT NOT NULL, size TEXT NOT NULL);
CREATE VIRTUAL TABLE search_words USING fts5 (words, class, size, content = '', detail = none,
  tokenize = 'trigram case_sensitive 1');
CREATE VIRTUAL TABLE search_terms USING fts5vocab (search_words, row);
INSERT INTO meta SELECT 'unfilled', -1 WHERE EXISTS (SELECT 1 FROM search);
`

/**
 * Chunks as shards. State 0: as a record says; 1: shown to be wrong. Shards are chunks too, each with its
 * own row and holders.
 */
const codings = `
CREATE TABLE codings (n INTEGER PRIMARY KEY, chunk INTEGER NOT NULL, folder INTEGER NOT NULL, length INTEGER NOT NULL,
  k INTEGER NOT NULL, m INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0);
CREATE INDEX codings_by_chunk ON codings (chunk);
CREATE INDEX codings_by_folder ON codings (folder, n);
CREATE TABLE shards (coding INTEGER NOT NULL, place INTEGER NOT NULL, chunk INTEGER NOT NULL,
  PRIMARY KEY (coding, place)) WITHOUT ROWID;
CREATE INDEX shards_by_chunk ON shards (chunk);
`

/** When this device last compared a folder's pins at a peer with what the folder needs. */
const comparedPins = `
CREATE TABLE compared (folder INTEGER NOT NULL, peer INTEGER NOT NULL, database BLOB NOT NULL, change INTEGER NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY (folder, peer)) WITHOUT ROWID;
`

export const indexMigrations: readonly string[] = [
  indexTables,
  headsTable,
  wholeBatches,
  partialBatches,
  searchTables,
  namedChunks,
  beginnings,
  goneVersions,
  spareBatches,
  hiddenEntries,
  noSpareBatches,
  priorityVersions,
  scrubbed,
  released,
  reseals,
  expiringVersions,
  searchFacts,
  codings,
  comparedPins,
]

export const ownMigrations: readonly string[] = [
  `CREATE TABLE own (kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;`,
]

/** Brings a database up to date; `FORMAT_UNKNOWN` when a newer program made it. */
export function migrate(db: DatabaseSync, migrations: readonly string[], what: string): void {
  const row = db.prepare('PRAGMA user_version').get()
  const found = Number(row?.['user_version'])
  if (found > migrations.length) throw fail('FORMAT_UNKNOWN', { what, found, known: migrations.length })
  for (let version = found; version < migrations.length; version += 1) {
    db.exec(`BEGIN IMMEDIATE; ${migrations[version]!} PRAGMA user_version = ${version + 1}; COMMIT`)
  }
}
