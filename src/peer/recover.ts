/**
 * A new device out of a recovery paper: any peer of the pool that answers, a storage-only one included,
 * takes in the certificate that the paper's key signs, and tells all that is needed. Nothing of this home
 * changes here.
 */
import { loadJoining, removeJoining, saveJoining } from '../access/joining-file.ts'
import {
  admitRecovery,
  checkRecovered,
  paperIdOf,
  parsePaper,
  recoverWith,
  type Paper,
  type Recovering,
} from '../access/recovery.ts'
import type { OpenedCatalogue } from '../access/opened-catalogue.ts'
import { asPeerStorError, fail, isCode } from '../base/errors.ts'
import type { PeerId } from '../base/words.ts'
import { encode, fields } from '../codec/cbor-schema.ts'
import { framed } from '../net/framing.ts'
import type { Answer, Call, Network } from '../net/network.ts'
import type { Store } from '../store/store.ts'
import { taken, watchFor, type Joined, type JoinParts } from './join.ts'

/** How long the pool's peers are looked for. */
const searchMs = 30_000
const retryMs = 500

const noHead = encode(fields({}), {})

/** Answers devices that a recovery paper makes. */
export function serveRecovery(
  network: Network,
  catalogue: OpenedCatalogue,
  store: Pick<Store, 'read' | 'batch'>,
  poolSecret: Uint8Array,
): void {
  network.serve('recovery.push', async (call: Call): Promise<Answer> => {
    const push = Buffer.concat(await Array.fromAsync(call.body, (part) => Buffer.from(part)))
    const { head, batches } = await admitRecovery(catalogue, store, poolSecret, push)
    return { head, body: framed(batches) }
  })
}

/**
 * Redeems a paper's code; fails with a `RECOVERY_…` error. As with an invite, the request is kept until
 * the pool was entered or the paper refused: asked again after a crash, the pool knows this device already.
 */
export async function recover(parts: JoinParts, code: string): Promise<Joined> {
  const paper = parsePaper(code)
  const recovering = await begin(parts, paper)
  const reached = watchFor(parts.network)
  try {
    return await askAll(parts, recovering)
  } catch (thrown) {
    if (isCode(thrown, 'RECOVERY_REFUSED') || !reached.end()) await removeJoining(parts.home)
    throw thrown
  } finally {
    reached.end()
  }
}

/** The request of an earlier try with this paper, or a new one; on the disk before anything is sent. */
async function begin({ home, peerKey, clock, random }: JoinParts, paper: Paper): Promise<Recovering> {
  const code = paperIdOf(paper)
  const begun = await loadJoining(home, code, peerKey)
  if (begun !== undefined) return { paper, ...begun }
  const recovering = recoverWith(paper, peerKey, clock, random)
  await saveJoining(home, code, recovering)
  return recovering
}

/** Asks every peer within reach in turn until one knows the paper. */
async function askAll(parts: JoinParts, recovering: Recovering): Promise<Joined> {
  const { network, clock, bootstrap } = parts
  const { peers } = recovering.paper
  for (const { peer, addresses } of peers) network.learn(peer, addresses)
  const until = clock.monotonicMs() + searchMs
  let refusal: Error | undefined
  while (true) {
    for (const address of bootstrap) await network.dial(address).catch(() => undefined)
    for (const peer of within(parts, recovering.paper)) {
      try {
        return await ask(parts, recovering, peer)
      } catch (thrown) {
        if (!isAbsence(thrown)) refusal = refusalOf(thrown)
      }
    }
    if (clock.monotonicMs() >= until) break
    await clock.sleep(retryMs)
  }
  const addresses = [...peers.flatMap(({ addresses }) => addresses), ...bootstrap]
  throw refusal ?? fail('RECOVERY_UNREACHABLE', { addresses })
}

/** Peers worth asking: those on the paper, those that mDNS saw, those connected already. */
function within({ network }: JoinParts, { peers }: Paper): Set<PeerId> {
  const seen = network.discovered().mdns
  for (const { peer, addresses } of seen) network.learn(peer, addresses)
  const all = [...peers, ...network.connections(), ...seen].map(({ peer }) => peer)
  return new Set(all.filter((peer) => peer !== network.peer))
}

async function ask(parts: JoinParts, recovering: Recovering, peer: PeerId): Promise<Joined> {
  const { network } = parts
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(recovering.request)
  }
  const reply = await network.request(peer, 'recovery.push', noHead, { body: body() })
  const entered = await taken(parts, recovering.paper.pool, reply, (answer, place) =>
    checkRecovered(recovering, answer, place),
  )
  const dialled = network.connections().filter((line) => line.peer === peer && !line.inbound)
  const known = recovering.paper.peers.find((line) => line.peer === peer)?.addresses ?? []
  const addresses = [...new Set([...dialled.map(({ address }) => address), ...known])]
  return { ...entered, inviter: { peer, addresses } }
}

/** Nobody was there to answer: worth another try. */
function isAbsence(thrown: unknown): boolean {
  return ['PEER_UNREACHABLE', 'TIMED_OUT', 'NOT_HERE'].includes(asPeerStorError(thrown).code)
}

function refusalOf(thrown: unknown): Error {
  if (isCode(thrown, 'RECOVERY_REFUSED')) return thrown as Error
  return fail('RECOVERY_REFUSED', { reason: asPeerStorError(thrown).message }, thrown)
}
