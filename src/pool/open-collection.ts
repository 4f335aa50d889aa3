/** Builds collection from its parts and connects them. */
import type { Worker } from '../base/worker.ts'
import { Collect, type CollectResult, type Held } from './collect.ts'
import type { CollectionParts } from './collection.ts'
import { Reconcile } from './reconcile.ts'
import { servePins } from './serve-pins.ts'

export interface Collection {
  /** Compares all pins now, then collects. `dry`: counts alone, without comparing. */
  now(
    options: { dry?: boolean | undefined; confirm?: string | undefined },
    signal: AbortSignal,
  ): Promise<CollectResult>
  held(): Held[]
  /** Passes, chunks and bytes dropped and seconds, since the start. */
  readonly total: Collect['total']
  /** reconcile, collect. */
  workers(): Worker[]
}

/** Serves requests for pins at once; call before `network.start`. */
export function openCollection(parts: CollectionParts): Collection {
  const reconcile = new Reconcile(parts)
  const collect = new Collect(parts)
  servePins(parts)
  return {
    now: async (options, signal) => {
      if (options.dry !== true) await reconcile.round(signal)
      return collect.pass(signal, options)
    },
    held: () => collect.held(),
    get total() {
      return collect.total
    },
    workers: () => [reconcile.worker(), collect.worker()],
  }
}
