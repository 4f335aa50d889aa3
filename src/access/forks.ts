/**
 * Devices whose chain has two ends, or one number twice: forgers, and restored or copied disks. Both
 * sides of a fork are kept; what it is gets an alarm when it arrives and is shown ever after.
 */
import type { DeviceId, RecordHash } from '../base/words.ts'
import type { RecordHead } from '../codec/record.ts'
import type { IndexReader } from '../store/index-reader.ts'

/** Two records with one (device, incarnation, seq); two incarnations that continue one record. */
export type Fork = 'equivocation' | 'cloned'

interface Placed {
  hash: RecordHash
  head: RecordHead
}

type Read = Pick<IndexReader, 'countHeads' | 'recordsOfDevice' | 'devices' | 'twiceBegun' | 'beginnings'>

export class ForkWatch {
  readonly #read: Read
  /** Ends of each chain when it was last looked at. */
  readonly #ends = new Map<DeviceId, number>()
  readonly #forks = new Map<DeviceId, ReadonlySet<Fork>>()

  constructor(read: Read) {
    this.#read = read
  }

  /** Looks at all that is held. */
  begin(): void {
    const twice = new Set(this.#read.twiceBegun())
    for (const device of this.#read.devices()) {
      const ends = this.#read.countHeads(device)
      this.#ends.set(device, ends)
      if (ends > 1 || twice.has(device)) this.#forks.set(device, forksIn(this.#read.recordsOfDevice(device)))
    }
  }

  /** The worst that a device's chain shows. */
  forkOf(device: DeviceId): Fork | undefined {
    const forks = this.#forks.get(device)
    return forks?.has('equivocation') === true ? 'equivocation' : forks?.has('cloned') ? 'cloned' : undefined
  }

  /**
   * The forks that records just stored made. A chain is walked only when it may have one more: it has one
   * more end, or these records filled a hole in it, which was an end too.
   */
  look(
    added: readonly { record: Placed }[],
    filled: ReadonlySet<DeviceId> = new Set(),
  ): { device: DeviceId; kind: Fork }[] {
    return [...Map.groupBy(added, ({ record }) => record.head.device)].flatMap(([device, records]) => {
      const fresh = records.map(({ record }) => record)
      const ends = this.#read.countHeads(device)
      const before = this.#ends.get(device) ?? 1
      this.#ends.set(device, ends)
      if (ends <= before && !filled.has(device) && !this.#beginsTwice(device, fresh)) return []
      const chain = this.#read.recordsOfDevice(device)
      this.#forks.set(device, forksIn(chain))
      const kinds = forksIn(chain, new Set(fresh.map(({ hash }) => hash)))
      return [...kinds].map((kind) => ({ device, kind }))
    })
  }

  /** An incarnation that begins behind two different records makes no new end. */
  #beginsTwice(device: DeviceId, fresh: readonly Placed[]): boolean {
    return fresh.some(({ head }) => head.seq === 0 && this.#read.beginnings(device, head.incarnation) > 1)
  }
}

/** What a chain's forks are; with `fresh`, of those that these records are part of. */
function forksIn(chain: readonly Placed[], fresh?: ReadonlySet<RecordHash>): Set<Fork> {
  const isAsked = (records: readonly Placed[]): boolean =>
    fresh === undefined || records.some(({ hash }) => fresh.has(hash))
  const found = new Set<Fork>()
  for (const records of Map.groupBy(chain, ({ head }) => `${head.incarnation} ${head.seq}`).values())
    if (records.length > 1 && isAsked(records)) found.add('equivocation')
  for (const records of Map.groupBy(chain, ({ head }) => head.previous ?? '').values())
    if (new Set(records.map(({ head }) => head.incarnation)).size > 1 && isAsked(records)) found.add('cloned')
  return found
}
