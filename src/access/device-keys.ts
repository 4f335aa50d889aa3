/**
 * The private keys of this home, in `<home>/keys/` with mode 0600: `peer.key`, the libp2p key, stays
 * for life; `pool.json` holds everything of one pool, so that changing pools is one atomic rename.
 * The byte formats are in docs/FORMAT.md.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { idBytes, parseId, type DeviceId, type PoolId } from '../base/words.ts'
import { agreementKey, lockedAgreementKey, type AgreementKey } from '../codec/agree.ts'
import { derive } from '../codec/hash.ts'
import { openHomeKeys, sealHomeKeys } from '../codec/seal.ts'
import { deviceIdOf, lockedSigningKey, signingKey, type SigningKey } from '../codec/sign.ts'
import type { DeviceSecrets } from './certificate.ts'
import { lockForm, openLock, wrongSecret, type KeyLock, type LockKind, type LockSecret } from './key-lock.ts'
import { readSecret, removeSecret, writeSecret } from './secret-file.ts'

/** All that a device keeps of its pool. */
export interface PoolKeys {
  pool: PoolId
  secrets: DeviceSecrets & { peer: SigningKey }
  /** Known to every device of the pool; for rendezvous only. 32 bytes. */
  poolSecret: Uint8Array
  /** The recovery key's seed, until its paper is confirmed. 32 bytes. */
  recoverySeed?: Uint8Array | undefined
  /** A new pool's first batches: written again at start in case a crash came before the store had them. */
  genesis: readonly Uint8Array[]
  /** What the private keys are sealed with on the disk, when they are. */
  lock?: KeyLock | undefined
  /** The private keys are sealed and not here: this device acts as storage-only. */
  locked?: boolean | undefined
}

const format = 1
/** Of a file whose keys are sealed: programs of before say that they do not know it. */
const lockedFormat = 2
const seedBytes = z
  .base64()
  .length(44)
  .transform((text) => Buffer.from(text, 'base64'))
const poolFile = z.strictObject({
  format: z.literal(format),
  pool: z.string().transform((text) => parseId<PoolId>(text, 'pool')),
  recordSeed: seedBytes,
  encryptionSeed: seedBytes,
  poolSecret: seedBytes,
  recoverySeed: seedBytes.optional(),
  genesis: z.array(z.base64().max(64 * 1024)).max(2),
})

/** A pool file whose private keys are sealed: what a device needs to keep chunks for others stays readable. */
const lockedFile = z.strictObject({
  format: z.literal(lockedFormat),
  pool: z.string().transform((text) => parseId<PoolId>(text, 'pool')),
  recordKey: seedBytes,
  encryptionKey: seedBytes,
  poolSecret: seedBytes,
  genesis: z.array(z.base64().max(64 * 1024)).max(2),
  lock: lockForm,
  sealed: z.base64().max(4096),
})
const privateForm = z.strictObject({
  recordSeed: seedBytes,
  encryptionSeed: seedBytes,
  recoverySeed: seedBytes.optional(),
})
type LockedFile = z.output<typeof lockedFile>

/** The home's libp2p key, made when there is none. */
export async function loadPeerKey(home: string, random: Random): Promise<SigningKey> {
  const path = join(home, 'keys', 'peer.key')
  const known = await readSecret(path)
  if (known !== undefined && known.length !== 32)
    throw fail('FORMAT_UNKNOWN', { what: path, found: `${known.length} bytes`, known: '32 bytes' })
  if (known !== undefined) return signingKey(known)
  const seed = random.bytes(32)
  await writeSecret(path, seed)
  return signingKey(seed)
}

/** The keys of the home's pool, locked when they are sealed; undefined when it has none yet. */
export async function loadPoolKeys(home: string, peer: SigningKey): Promise<PoolKeys | undefined> {
  const file = await readPoolFile(home)
  if (file === undefined) return undefined
  const genesis = file.genesis.map((text) => Buffer.from(text, 'base64'))
  const { pool, poolSecret } = file
  if (file.format === lockedFormat) {
    const { recordKey, encryptionKey } = file
    const secrets = {
      record: lockedSigningKey(recordKey),
      encryption: lockedAgreementKey(encryptionKey),
      peer,
    }
    return { pool, secrets, poolSecret, genesis, locked: true }
  }
  const { recordSeed, encryptionSeed, recoverySeed } = file
  const secrets = { record: signingKey(recordSeed), encryption: agreementKey(encryptionSeed), peer }
  return { pool, secrets, poolSecret, recoverySeed, genesis }
}

/** How the home's keys are sealed; undefined when they are not. */
export async function lockKindOf(home: string): Promise<LockKind | undefined> {
  const file = await readPoolFile(home)
  return file?.format === lockedFormat ? file.lock.kind : undefined
}

/** The keys of a locked home, with their private halves; `LOCK_WRONG`, `LOCK_NONE`. */
export async function unlockPoolKeys(home: string, peer: SigningKey, secret: LockSecret): Promise<PoolKeys> {
  const file = await readPoolFile(home)
  if (file?.format !== lockedFormat) throw fail('LOCK_NONE')
  const lock = await openLock(secret, file.lock)
  const opened = openHomeKeys(
    lock.key,
    boundTo(file.pool, file.recordKey),
    Buffer.from(file.sealed, 'base64'),
  )
  if (opened === undefined) throw wrongSecret(file.lock)
  const { recordSeed, encryptionSeed, recoverySeed } = privateForm.parse(JSON.parse(opened.toString('utf8')))
  const secrets = { record: signingKey(recordSeed), encryption: agreementKey(encryptionSeed), peer }
  const genesis = file.genesis.map((text) => Buffer.from(text, 'base64'))
  return { pool: file.pool, secrets, poolSecret: file.poolSecret, recoverySeed, genesis, lock }
}

/** The same keys without their private halves. */
export function lockedKeys({ pool, secrets, poolSecret, genesis }: PoolKeys): PoolKeys {
  const record = lockedSigningKey(secrets.record.publicKey)
  const encryption = lockedAgreementKey(secrets.encryption.publicKey)
  return { pool, secrets: { record, encryption, peer: secrets.peer }, poolSecret, genesis, locked: true }
}

/** Makes these the keys of the home, in one rename: a crash leaves what was there, or this. */
export async function savePoolKeys(home: string, keys: PoolKeys, random: Random): Promise<void> {
  await writeSecret(join(home, 'keys', 'pool.json'), poolFileBytes(keys, random))
}

/** The file that holds these keys, sealed when they have a lock. */
export function poolFileBytes(keys: PoolKeys, random: Random): Buffer {
  if (keys.locked === true) throw fail('PEER_LOCKED')
  const { secrets, recoverySeed, lock } = keys
  const seeds = {
    recordSeed: base64(secrets.record.seed),
    encryptionSeed: base64(secrets.encryption.seed),
    ...(recoverySeed && { recoverySeed: base64(recoverySeed) }),
  }
  const shared = { poolSecret: base64(keys.poolSecret), genesis: keys.genesis.map(base64) }
  const file =
    lock === undefined
      ? { format, pool: keys.pool, ...seeds, ...shared }
      : { format: lockedFormat, pool: keys.pool, ...shared, ...sealedSeeds(keys, lock, seeds, random) }
  return Buffer.from(`${JSON.stringify(file, null, 2)}\n`)
}

function sealedSeeds(
  { pool, secrets }: PoolKeys,
  { form, key }: KeyLock,
  seeds: object,
  random: Random,
): Pick<z.input<typeof lockedFile>, 'recordKey' | 'encryptionKey' | 'lock' | 'sealed'> {
  const { publicKey } = secrets.record
  const sealed = sealHomeKeys(random, key, boundTo(pool, publicKey), Buffer.from(JSON.stringify(seeds)))
  return {
    recordKey: base64(publicKey),
    encryptionKey: base64(secrets.encryption.publicKey),
    lock: form,
    sealed: base64(sealed),
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const boundTo = (pool: PoolId, recordKey: Uint8Array): Buffer =>
  Buffer.concat([idBytes(pool), idBytes(deviceIdOf(recordKey))])

/** Forgets the pool: the next start makes or joins another. */
export async function removePoolKeys(home: string): Promise<void> {
  await removeSecret(join(home, 'keys', 'pool.json'))
}

/** The device id that a pool's keys give. */
export function deviceOfKeys(keys: PoolKeys): ReturnType<typeof deviceIdOf> {
  return deviceIdOf(keys.secrets.record.publicKey)
}

/** Every key that opens wraps here: this device's, and the recovery key's while its seed is here. */
export function encryptionKeysOf(keys: PoolKeys): Map<DeviceId, AgreementKey> {
  if (keys.locked === true) return new Map()
  const all: DeviceSecrets[] = [keys.secrets]
  if (keys.recoverySeed !== undefined) all.push(recoverySecrets(keys.recoverySeed))
  return new Map(all.map(({ record, encryption }) => [deviceIdOf(record.publicKey), encryption]))
}

/** The keys of a recovery key, all from the seed on its paper. */
export function recoverySecrets(seed: Uint8Array): DeviceSecrets {
  return {
    record: signingKey(derive('peerstor/1 recovery record key', seed)),
    encryption: agreementKey(derive('peerstor/1 recovery encryption key', seed)),
  }
}

async function readPoolFile(home: string): Promise<z.output<typeof poolFile> | LockedFile | undefined> {
  const path = join(home, 'keys', 'pool.json')
  const bytes = await readSecret(path)
  return bytes && parsePoolFile(path, bytes.toString('utf8'))
}

function parsePoolFile(path: string, text: string): z.output<typeof poolFile> | LockedFile {
  try {
    return z.union([poolFile, lockedFile]).parse(JSON.parse(text))
  } catch (thrown) {
    // The cause could quote the file, which holds keys.
    const found = /"format":\s*(\d+)/.exec(text)?.[1]
    if (found !== undefined && Number(found) > lockedFormat)
      throw fail('FORMAT_UNKNOWN', { what: path, found, known: lockedFormat })
    throw fail('BAD_INPUT', {
      what: path,
      reason: `it is damaged (${thrown instanceof z.ZodError ? 'form' : 'text'})`,
    })
  }
}
