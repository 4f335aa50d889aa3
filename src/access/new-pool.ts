/**
 * A new pool: its first record, signed before there is a pool id, and the founder's certificate,
 * which begins his user and names the recovery key. Folders come with the first opening.
 */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { idOf, type Incarnation, type PoolId } from '../base/words.ts'
import { newAgreementKey } from '../codec/agree.ts'
import { encode } from '../codec/cbor-schema.ts'
import { makeRecord, signBatch } from '../codec/record-bytes.ts'
import { recordKinds, type RecordHead } from '../codec/record.ts'
import { deviceIdOf, newSigningKey, type SigningKey } from '../codec/sign.ts'
import { encodeCertificate, makeRequest, type DeviceSecrets } from './certificate.ts'
import { recoverySecrets, type PoolKeys } from './device-keys.ts'
import { poolBody } from './record-bodies.ts'

/** Makes a pool of one device; save its keys, then `openCatalogue` with them. */
export function newPool(peer: SigningKey, clock: Clock, random: Random): PoolKeys {
  const secrets = { record: newSigningKey(random), encryption: newAgreementKey(random), peer }
  const recoverySeed = random.bytes(32)
  const recovery = recoverySecrets(recoverySeed)
  const first = firstRecord(secrets, recovery, clock, random)
  const pool = first.hash as string as PoolId
  const certificate = founderCertificate(pool, first.head, secrets, recovery)
  return {
    pool,
    secrets,
    poolSecret: random.bytes(32),
    recoverySeed,
    genesis: [
      signBatch([first], secrets.record, undefined).bytes,
      signBatch([certificate], secrets.record, pool).bytes,
    ],
  }
}

function firstRecord(
  secrets: DeviceSecrets & { peer: SigningKey },
  recovery: DeviceSecrets,
  clock: Clock,
  random: Random,
): ReturnType<typeof makeRecord> {
  const head: RecordHead = {
    kind: recordKinds.pool,
    device: deviceIdOf(secrets.record.publicKey),
    incarnation: idOf<Incarnation>(random.bytes(16)),
    seq: 0,
    time: { ms: clock.now(), counter: 0 },
  }
  const body = {
    format: 1,
    recordKey: secrets.record.publicKey,
    encryptionKey: secrets.encryption.publicKey,
    peer: secrets.peer.publicKey,
    recovery: { recordKey: recovery.record.publicKey, encryptionKey: recovery.encryption.publicKey },
  }
  return makeRecord(head, encode(poolBody, body))
}

function founderCertificate(
  pool: PoolId,
  first: RecordHead,
  secrets: DeviceSecrets,
  recovery: DeviceSecrets,
): ReturnType<typeof makeRecord> {
  const { device, incarnation, time } = first
  const head: RecordHead = {
    kind: recordKinds.certificate,
    device,
    incarnation,
    seq: 1,
    previous: pool as string as NonNullable<RecordHead['previous']>,
    time: { ms: time.ms, counter: 1 },
  }
  const body = encodeCertificate({
    request: makeRequest(pool, device, 'device', secrets),
    recovery: makeRequest(pool, device, 'recovery', recovery),
  })
  return makeRecord(head, body)
}
