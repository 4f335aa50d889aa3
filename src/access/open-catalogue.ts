/** Builds the catalogue over a store: loads what is held, judges it, opens what the keys allow. */
import type { Batch } from '../codec/record.ts'
import type { Catalogue } from './catalogue.ts'
import type { LedgerParts } from './ledger.ts'
import { OpenedCatalogue } from './opened-catalogue.ts'
import { readableBatch } from './mend.ts'
import { loadedKinds } from './record-bodies.ts'

/** Store, keys of this device, and what is injected. */
export type CatalogueParts = LedgerParts

/** Opens the catalogue of the pool that `keys` belong to. The records of other pools in the store are ignored. */
export async function openCatalogue(parts: CatalogueParts): Promise<Catalogue & OpenedCatalogue> {
  const catalogue = new OpenedCatalogue(parts)
  await catalogue.begin(parts.keys.genesis, await heldRecords(parts))
  return catalogue
}

/** The records of `loadedKinds`, read back batch by batch. */
async function heldRecords(
  parts: Pick<CatalogueParts, 'store' | 'log'>,
): Promise<{ batch: Batch; wanted: Map<string, number> }[]> {
  const { store } = parts
  const places = Map.groupBy(store.read.recordsOf(loadedKinds), (record) => record.batch)
  const held = []
  for (const [last, records] of places) {
    const wanted = new Map(records.map(({ hash, position }) => [hash as string, position]))
    const batch = await readableBatch(parts, last)
    if (batch !== undefined) held.push({ batch, wanted })
  }
  store.keepSpare(held.map(({ batch }) => batch))
  return held
}
