/** A device that leaves its pool says so. */
import { fail } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import type { Network } from '../net/network.ts'
import type { Core } from './create-core.ts'

/** Time for connected peers to read that this device has left. */
const farewellMs = 2_000

/** Someone must hear that this device leaves: he also takes what it wrote last. `LEAVE_UNHEARD` */
export async function sayFarewell(
  { catalogue, membership }: Core,
  { network, clock }: { network: Pick<Network, 'peer' | 'isConnected'>; clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  const readers = membership.members().filter(({ role, peer }) => role !== 'storage' && peer !== network.peer)
  if (!readers.some(({ peer }) => network.isConnected(peer))) throw fail('LEAVE_UNHEARD')
  await catalogue.revoke([catalogue.device])
  // They ask for it; whoever is away learns it from them.
  await clock.sleep(farewellMs, signal)
}
