/** Where an answer to a joiner lies in tests and in the simulator while it is judged. */
import type { DeviceId, RecordHash } from '../src/base/words.ts'
import type { Welcome } from '../src/access/invite.ts'
import type { WelcomePlace } from '../src/access/welcome.ts'
import type { Batch } from '../src/codec/record.ts'
import type { IndexedRecord } from '../src/store/store.ts'

/** An answer whose batches have all arrived. */
export async function received({
  head,
  batches,
}: Welcome): Promise<{ head: Uint8Array; batches: Uint8Array[] }> {
  return { head, batches: await Array.fromAsync(batches) }
}

export class WelcomeInMemory implements WelcomePlace {
  readonly batches: Uint8Array[] = []
  readonly #records = new Map<RecordHash, IndexedRecord>()
  readonly read: WelcomePlace['read'] = {
    record: (hash) => this.#records.get(hash),
    hasRecord: (hash) => this.#records.has(hash),
    isPartialBatch: () => false,
    heads: (device) => this.#heads(device),
  }

  commit({ batches }: { batches: readonly Batch[] }): Promise<void> {
    for (const { records, bytes } of batches) {
      this.batches.push(bytes)
      const batch = records.at(-1)!.hash
      for (const { hash, head } of records) {
        const previous = head.previous && this.#records.get(head.previous)
        const position = previous === undefined ? 0 : previous.position + 1
        this.#records.set(hash, { hash, head, batch, position })
      }
    }
    return Promise.resolve()
  }

  #heads(device: DeviceId): IndexedRecord[] {
    const chain = [...this.#records.values()].filter(({ head }) => head.device === device)
    const followed = new Set(chain.map(({ head }) => head.previous))
    return chain.filter(({ hash }) => !followed.has(hash))
  }
}
