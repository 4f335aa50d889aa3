/**
 * Becoming a device of another pool: the inviter is found, the code redeemed, the answer checked.
 * Nothing of this home changes here.
 */
import { checkWelcome, inviteIdOf, joinRequest, type Invites, type Joining } from '../access/invite.ts'
import { loadJoining, removeJoining, saveJoining } from '../access/joining-file.ts'
import { parseInvite, type Invite } from '../access/invite-code.ts'
import type { PoolKeys } from '../access/device-keys.ts'
import type { WelcomeAnswer, WelcomePlace } from '../access/welcome.ts'
import type { Disk } from '../base/disk.ts'
import { asPeerStorError, fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { CallOptions, PeerId, PoolId } from '../base/words.ts'
import type { SigningKey } from '../codec/sign.ts'
import { framed, frames } from '../net/framing.ts'
import type { Answer, Call, Network, Reply } from '../net/network.ts'
import { WelcomeStore } from './welcome-store.ts'

export interface JoinParts {
  /** Folder of the home, where a begun request is kept. */
  home: string
  network: Network
  peerKey: SigningKey
  /** Name of this device. */
  name: string
  /** Where to look besides mDNS and the code's own addresses. */
  bootstrap: readonly string[]
  clock: Clock
  random: Random
  disk: Disk
  log: Log
}

export interface Joined {
  keys: PoolKeys
  /** The records that come with the certificate; to be removed when the pool's store has them. */
  welcome: WelcomeStore
  /** Who answered, and where: the one device whose address is known until it tells of others. */
  inviter: { peer: PeerId; addresses: string[] }
}

/** How long the inviter is looked for: mDNS answers within a few seconds. */
const searchMs = 15_000
const retryMs = 500

/** Answers joiners; `invites` is the current pool's. */
export function serveInvites(network: Network, invites: () => Invites): void {
  network.serve('invite.redeem', async (call: Call): Promise<Answer> => {
    const { head, batches } = await invites().redeem(call.head)
    return { head, body: framed(batches) }
  })
}

/**
 * Redeems a code; fails with an `INVITE_…` error or `INVITER_UNREACHABLE`. The request is kept until the
 * pool was entered (`removeJoining`) or the code refused: asked again after a crash, the inviter gives
 * the same answer.
 */
export async function join(parts: JoinParts, code: string, options: CallOptions = {}): Promise<Joined> {
  const invite = parseInvite(code)
  if (invite.peer === parts.network.peer) throw fail('INVITE_INVALID', { reason: 'this device made it' })
  const joining = await begin(parts, invite)
  const reached = watchFor(parts.network, invite.peer)
  try {
    const { keys, welcome } = await redeem(parts, joining, options)
    return { keys, welcome, inviter: { peer: invite.peer, addresses: whereFound(parts, invite) } }
  } catch (thrown) {
    if (isRefusal(thrown) || !reached.end()) await removeJoining(parts.home)
    throw thrown
  } finally {
    reached.end()
  }
}

function whereFound({ network }: JoinParts, { peer, addresses }: Invite): string[] {
  const dialled = network.connections().filter((line) => line.peer === peer && !line.inbound)
  return [...new Set([...dialled.map(({ address }) => address), ...addresses])]
}

/** The request of an earlier try with this code, or a new one; on the disk before anything is sent. */
async function begin({ home, peerKey, name, random }: JoinParts, invite: Invite): Promise<Joining> {
  const code = inviteIdOf(invite)
  const begun = await loadJoining(home, code, peerKey)
  if (begun !== undefined) return { invite, ...begun }
  const joining = joinRequest(invite, peerKey, name, random)
  await saveJoining(home, code, joining)
  return joining
}

async function redeem(
  parts: JoinParts,
  joining: Joining,
  options: CallOptions,
): Promise<Pick<Joined, 'keys' | 'welcome'>> {
  const { clock } = parts
  const until = clock.monotonicMs() + searchMs
  while (true) {
    const reply = await askInviter(parts, joining, until, options)
    try {
      return await taken(parts, joining.invite.pool, reply, (answer, place) =>
        checkWelcome(joining, answer, place),
      )
    } catch (thrown) {
      // The inviter went away in the middle of its answer: it gives the same one again.
      if (!isCode(thrown, 'PEER_UNREACHABLE')) throw thrown
    }
  }
}

/** Whether a peer (left out: any) was connected at any time since; `end` stops watching. */
export function watchFor(network: Network, peer?: PeerId): { end: () => boolean } {
  let reached = peer !== undefined && network.isConnected(peer)
  const leave = network.on((event) => {
    if (event.type === 'connect' && (peer === undefined || event.peer === peer)) reached = true
  })
  return { end: () => (leave(), reached) }
}

function isRefusal(thrown: unknown): boolean {
  return asPeerStorError(thrown).code.startsWith('INVITE_')
}

/** Tries what is known of the inviter until it answers: the code's addresses, --bootstrap, mDNS. */
async function askInviter(
  parts: JoinParts,
  { invite, request }: Joining,
  until: number,
  { signal }: CallOptions,
): Promise<Reply> {
  const { network, clock } = parts
  network.learn(invite.peer, invite.addresses)
  while (true) {
    signal?.throwIfAborted()
    try {
      return await network.request(
        invite.peer,
        'invite.redeem',
        request,
        signal === undefined ? {} : { signal },
      )
    } catch (thrown) {
      if (!isCode(thrown, 'PEER_UNREACHABLE')) throw refusal(thrown)
      if (clock.monotonicMs() >= until) throw unreachable(parts, invite, thrown)
    }
    await dialBootstrap(parts, invite.peer)
    await clock.sleep(retryMs, signal)
  }
}

/** An address without an identity is worth a try: whoever answers there may be the inviter. */
async function dialBootstrap({ network, bootstrap }: JoinParts, inviter: PeerId): Promise<void> {
  for (const address of bootstrap) {
    if (network.isConnected(inviter)) return
    await network.dial(address).catch(() => undefined)
  }
}

function unreachable({ bootstrap }: JoinParts, { peer, addresses }: Invite, cause: unknown): Error {
  return fail('INVITER_UNREACHABLE', { peer, addresses: [...addresses, ...bootstrap] }, cause)
}

/** What the inviter answered, as the joiner's error; anything unexpected is a refusal. */
function refusal(thrown: unknown): Error {
  const error = asPeerStorError(thrown)
  const told = error.code.startsWith('INVITE_') || error.code === 'INTERRUPTED' || error.code === 'TIMED_OUT'
  return told ? error : fail('INVITE_REFUSED', { reason: error.message }, thrown)
}

/** Checks an answer while it arrives; nothing of a refused one is left. */
export async function taken(
  { home, network, disk, clock, random, log }: JoinParts,
  pool: PoolId,
  { head, body }: Reply,
  check: (answer: WelcomeAnswer, place: WelcomePlace) => Promise<PoolKeys>,
): Promise<Pick<Joined, 'keys' | 'welcome'>> {
  const batches = batchesIn(body)
  let welcome: WelcomeStore | undefined
  try {
    welcome = await WelcomeStore.open({ home, peer: network.peer, disk, clock, random, log }, pool)
    return { keys: await check({ head, batches }, welcome.place), welcome }
  } catch (thrown) {
    // Whatever of it was not read: nobody will.
    await body[Symbol.asyncIterator]().return?.()
    await welcome?.remove()
    throw thrown
  }
}

/** The records that follow an answer's head, as frames of its body. */
async function* batchesIn(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const batch of frames(body, limits.batchBytes, 'the welcome')) {
    bytes += batch.length
    if (bytes > limits.welcomeBytes)
      throw fail('TOO_LARGE', { what: 'the welcome', limit: limits.welcomeBytes })
    yield batch
  }
}
