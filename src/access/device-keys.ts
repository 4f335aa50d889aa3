/**
 * The private keys of this home, in `<home>/keys/` with mode 0600: `peer.key`, the libp2p key, stays
 * for life; `pool.json` holds everything of one pool, so that changing pools is one atomic rename.
 * The byte formats are in docs/FORMAT.md.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { parseId, type DeviceId, type PoolId } from '../base/words.ts'
import { agreementKey, type AgreementKey } from '../codec/agree.ts'
import { derive } from '../codec/hash.ts'
import { deviceIdOf, signingKey, type SigningKey } from '../codec/sign.ts'
import type { DeviceSecrets } from './certificate.ts'
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
}

const format = 1
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

/** The keys of the home's pool; undefined when it has none yet. */
export async function loadPoolKeys(home: string, peer: SigningKey): Promise<PoolKeys | undefined> {
  const path = join(home, 'keys', 'pool.json')
  const bytes = await readSecret(path)
  if (bytes === undefined) return undefined
  const { recordSeed, encryptionSeed, recoverySeed, ...rest } = parsePoolFile(path, bytes.toString('utf8'))
  const secrets = { record: signingKey(recordSeed), encryption: agreementKey(encryptionSeed), peer }
  const genesis = rest.genesis.map((text) => Buffer.from(text, 'base64'))
  return { pool: rest.pool, secrets, poolSecret: rest.poolSecret, recoverySeed, genesis }
}

/** Makes these the keys of the home, in one rename. */
export async function savePoolKeys(home: string, keys: PoolKeys): Promise<void> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  const file = {
    format,
    pool: keys.pool,
    recordSeed: text(keys.secrets.record.seed),
    encryptionSeed: text(keys.secrets.encryption.seed),
    poolSecret: text(keys.poolSecret),
    ...(keys.recoverySeed && { recoverySeed: text(keys.recoverySeed) }),
    genesis: keys.genesis.map(text),
  }
  await writeSecret(join(home, 'keys', 'pool.json'), Buffer.from(`${JSON.stringify(file, null, 2)}\n`))
}

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

function parsePoolFile(path: string, text: string): z.output<typeof poolFile> {
  try {
    return poolFile.parse(JSON.parse(text))
  } catch (thrown) {
    // The cause could quote the file, which holds keys.
    const found = /"format":\s*(\d+)/.exec(text)?.[1]
    if (found !== undefined && Number(found) > format)
      throw fail('FORMAT_UNKNOWN', { what: path, found, known: format })
    throw fail('BAD_INPUT', {
      what: path,
      reason: `it is damaged (${thrown instanceof z.ZodError ? 'form' : 'text'})`,
    })
  }
}
