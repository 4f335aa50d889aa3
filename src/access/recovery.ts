/**
 * The paper recovery key: one more device, without PeerId, that gets every wrap. Its paper alone,
 * with any one peer of the pool, storage-only ones included, brings a new device into the pool.
 */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import {
  idOf,
  type DeviceId,
  type Incarnation,
  type PeerId,
  type PoolId,
  type UserId,
} from '../base/words.ts'
import { newAgreementKey } from '../codec/agree.ts'
import { bytes, decode, encode, field, fields, id, list, text, uint } from '../codec/cbor-schema.ts'
import { derive } from '../codec/hash.ts'
import { decodeBatch, makeRecord, signBatch } from '../codec/record-bytes.ts'
import { recordKinds } from '../codec/record.ts'
import { deviceIdOf, newSigningKey, type SigningKey } from '../codec/sign.ts'
import type { Store } from '../store/store.ts'
import { fromBase58, toBase58 } from './base58.ts'
import { encodeCertificate, makeRequest, readRequest } from './certificate.ts'
import { recoverySecrets, type PoolKeys } from './device-keys.ts'
import type { Welcome } from './invite.ts'
import type { BegunRequest } from './joining-file.ts'
import type { OpenedCatalogue } from './opened-catalogue.ts'
import { peerIdOf, peerKeyOf } from './peer-id.ts'
import {
  checkHistory,
  historyFor,
  type ExpectedDevice,
  type WelcomeAnswer,
  type WelcomePlace,
} from './welcome.ts'

/** What stands on the paper. */
export interface Paper {
  pool: PoolId
  user: UserId
  /** 32 bytes: everything of the recovery key. */
  seed: Uint8Array
  /** Peers to ask, with multiaddrs. */
  peers: { peer: PeerId; addresses: string[] }[]
}

const paperForm = fields({
  version: field(0, uint(255)),
  pool: field(1, id<PoolId>()),
  user: field(2, id<UserId>()),
  seed: field(3, bytes(32)),
  peers: field(
    4,
    list(
      fields({
        peer: field(0, bytes(32)),
        addresses: field(1, list(text(limits.addressBytes), limits.inviteAddresses)),
      }),
      limits.paperPeers,
    ),
  ),
})

const version = 1
const checksumBytes = 4
const groupLetters = 5

/** The code on the paper, in groups of five letters. */
export function paperText(paper: Paper): string {
  const form = encode(paperForm, {
    ...paper,
    version,
    peers: paper.peers.slice(0, limits.paperPeers).map(({ peer, addresses }) => ({
      peer: peerKeyOf(peer),
      addresses: addresses.slice(0, limits.inviteAddresses),
    })),
  })
  const code = toBase58(Buffer.concat([form, checksum(form)]))
  return code.match(new RegExp(`.{1,${groupLetters}}`, 'g'))!.join(' ')
}

/** Names a paper: no secret. */
export function paperIdOf({ seed }: Paper): string {
  return derive('peerstor/1 paper id', seed).subarray(0, 16).toString('hex')
}

/** Reads a paper's code; `RECOVERY_INVALID` when a letter is wrong. */
export function parsePaper(typed: string): Paper {
  const refuse = (reason: string): Error => fail('RECOVERY_INVALID', { reason })
  if (typed.length > limits.inviteText) throw refuse('it is too long')
  const whole = fromBase58(typed.replaceAll(/\s/g, ''))
  if (whole === undefined || whole.length <= checksumBytes) throw refuse('it holds letters that no code has')
  const form = whole.subarray(0, -checksumBytes)
  if (!checksum(form).equals(whole.subarray(-checksumBytes))) throw refuse('a letter is wrong or missing')
  const { pool, user, seed, peers } = readForm(form, refuse)
  return {
    pool,
    user,
    seed: Buffer.from(seed),
    peers: peers.map(({ peer, addresses }) => ({ peer: peerIdOf(peer), addresses })),
  }
}

function readForm(form: Uint8Array, refuse: (reason: string) => Error): ReturnType<typeof paperForm.read> {
  try {
    return decode(paperForm, form, 'a recovery paper', limits.inviteText)
  } catch (thrown) {
    throw Object.assign(refuse('this version of PeerStor cannot read it'), { cause: thrown })
  }
}

/** A further recovery key of this device's user, ranked as a device: certified and given all wraps. */
export async function addRecoveryKey(
  catalogue: Pick<OpenedCatalogue, 'pool' | 'device' | 'certify'>,
  seed: Uint8Array,
): Promise<void> {
  const request = makeRequest(catalogue.pool, catalogue.device, 'recovery', recoverySecrets(seed))
  await catalogue.certify(readRequest(catalogue.pool, request), request, '')
}

/** The device id of the recovery key that a seed makes. */
export function recoveryDeviceOf(seed: Uint8Array): DeviceId {
  return deviceIdOf(recoverySecrets(seed).record.publicKey)
}

/** A device that the paper brings back: its keys, and as its request the batch to push. */
export interface Recovering extends BegunRequest {
  paper: Paper
}

/** Certifies a new device with the paper's key, in one batch of a new incarnation of its chain. */
export function recoverWith(paper: Paper, peer: SigningKey, clock: Clock, random: Random): Recovering {
  const recovery = recoverySecrets(paper.seed)
  const device = deviceIdOf(recovery.record.publicKey)
  const secrets = { record: newSigningKey(random), encryption: newAgreementKey(random), peer }
  const body = encodeCertificate({
    request: makeRequest(paper.pool, device, 'device', secrets),
    user: paper.user,
  })
  const head = {
    kind: recordKinds.certificate,
    device,
    incarnation: idOf<Incarnation>(random.bytes(16)),
    seq: 0,
    time: { ms: clock.now(), counter: 0 },
  }
  const record = makeRecord(head, body)
  const { bytes: request } = signBatch([record], recovery.record, paper.pool)
  return { paper, secrets, request }
}

const answerPart = fields({ poolSecret: field(0, bytes(32)), batches: field(1, bytes(32)) })

/**
 * Takes in what a stranger pushes: exactly one certificate by a recovery key that counts. It never
 * waits for anything, so that strangers can fill no place. `FORBIDDEN` otherwise.
 */
export async function admitRecovery(
  catalogue: OpenedCatalogue,
  store: Pick<Store, 'read' | 'batch'>,
  poolSecret: Uint8Array,
  push: Uint8Array,
): Promise<Welcome> {
  const refused = fail('FORBIDDEN', { role: 'a stranger', action: 'push records' })
  const [record, ...more] = decodeBatch(push).records
  const author = catalogue.state.authority.device(record!.head.device)
  if (more.length > 0 || record!.head.kind !== recordKinds.certificate) throw refused
  if (author?.kind !== 'recovery' || !author.counted || author.revoked) throw refused
  await catalogue.admit([push])
  const made = catalogue.state.authority.devices().find(({ certificate }) => certificate === record!.hash)
  if (made === undefined || !made.counted || made.revoked) throw refused
  const { digest, batches } = await historyFor(catalogue, store.read, record!.hash)
  return { head: encode(answerPart, { poolSecret, batches: digest }), batches }
}

/** Checks a peer's answer whole, its records in `place`; gives the keys to save. */
export async function checkRecovered(
  { paper, secrets, request }: Recovering,
  answer: WelcomeAnswer,
  place: WelcomePlace,
): Promise<PoolKeys> {
  const head = decode(answerPart, answer.head, 'a recovery answer', limits.requestHeadBytes)
  const poolSecret = Buffer.from(head.poolSecret)
  const device: ExpectedDevice = {
    pool: paper.pool,
    device: deviceIdOf(secrets.record.publicKey),
    kind: 'device',
    certificate: decodeBatch(request).records[0]!.hash,
    issuer: recoveryDeviceOf(paper.seed),
    issuerPeer: undefined,
  }
  await checkHistory(device, answer.batches, head.batches, place, 'RECOVERY_REFUSED')
  return { pool: paper.pool, secrets, poolSecret, genesis: [], recoverySeed: paper.seed }
}

function checksum(form: Uint8Array): Buffer {
  return derive('peerstor/1 paper checksum', form).subarray(0, checksumBytes)
}
