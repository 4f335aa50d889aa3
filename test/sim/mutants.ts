/**
 * Mistakes that somebody could make in the product, each one change of its source. The simulator must
 * notice every one of them by what it always looks at. `find` must occur exactly once: when the code
 * around it changes, the mutant is written anew.
 */
import type { Asked } from './profile.ts'

export interface Mutant {
  name: string
  /** Below the repository's root. */
  file: string
  find: string
  replace: string
  /** What makes pools meet it soon. */
  asked?: Asked
}

export const mutants: readonly Mutant[] = [
  {
    name: 'an fsync left out',
    file: 'src/store/segment-log.ts',
    find: '    await segment.file.sync()\n',
    replace: '',
    asked: { faults: ['power cut'] },
  },
  {
    name: 'a commit acknowledged before its sync',
    file: 'src/store/segment-log.ts',
    find: '        await this.#sync()\n      } catch (thrown) {',
    replace: '        void this.#sync().catch(() => undefined)\n      } catch (thrown) {',
    asked: { faults: ['power cut'], often: ['put'] },
  },
  {
    name: 'the tail of the log not replayed',
    file: 'src/store/open-store.ts',
    find: '  const end = await replaySegment(parts, scan)\n',
    replace: '  const end = size\n',
    asked: { faults: ['crash', 'database lost'] },
  },
  {
    name: 'records forgotten by compaction',
    file: 'src/store/compact.ts',
    find: '  return isAt(parts.read.batchPlace(last), location) ? [movedBatchEntry(last, payload)] : []',
    replace: '  return []',
    asked: { often: ['collect'], faults: ['crash', 'database lost'] },
  },
  {
    name: 'the contributed space not looked at',
    file: 'src/store/space.ts',
    find: 'bytes > 0 && this.#used + bytes > this.#contributed',
    replace: 'bytes < 0',
    asked: { often: ['put'], smallEvery: 2 },
  },
  {
    name: 'a record dropped from the feed',
    file: 'src/pool/feed-source.ts',
    find: 'encode(changesBody, { batches, held, dropped })',
    replace: 'encode(changesBody, { batches: batches.toSpliced(2, 1), held, dropped })',
  },
  {
    name: 'a holder recorded that kept nothing',
    file: 'src/pool/replicate.ts',
    find: "if (outcome === 'kept') kept.add(id)\n        else if",
    replace: 'kept.add(id)\n        if',
    asked: { peers: 3, faults: ['full disk'], often: ['put'] },
  },
  {
    name: 'fetched chunks not verified',
    file: 'src/pool/chunk-requests.ts',
    find: 'resolve(await this.#codec.verify(id, bytes, this.#remote.peer))',
    replace: 'resolve(bytes as never)',
    asked: { faults: ['bit flips'], often: ['read'] },
  },
  {
    name: 'lost copies not made anew',
    file: 'src/pool/repair.ts',
    find: 'const short = await replicator.bring(folder, mine, priority)',
    replace: 'const short = new Set<ChunkId>()',
    asked: { faults: ['disk lost', 'crash'] },
  },
  {
    name: 'the cut of a revocation ignored',
    file: 'src/access/versions.ts',
    find: "  if (!counts && !parts.book.isAdopted(record.hash, folder)) return 'held'\n",
    replace: '',
    asked: { often: ['revoke'], peers: 5 },
  },
  {
    name: 'a body not sealed',
    file: 'src/access/chain.ts',
    find: 'keys !== undefined && plain !== undefined ?',
    replace: "keys !== undefined && plain !== undefined && draft.kind !== 'name' ?",
  },
  {
    name: 'a tombstone lost',
    file: 'src/files/remove.ts',
    find: 'entries.map(tombstone)',
    replace: 'entries.slice(1).map(tombstone)',
    asked: { often: ['remove'] },
  },
  {
    name: 'concurrent versions not named as parents',
    file: 'src/files/place.ts',
    find: 'return [entry.version, ...entry.conflicts]',
    replace: 'return [entry.version]',
    asked: { often: ['concurrent puts', 'overwrite'], faults: ['partition'] },
  },
]
