/**
 * `keys/joining.json`: the keys and the request with which this device redeems a code (an invite's, or a
 * recovery paper's), kept from before the first byte is sent until the pool is entered. A joiner killed in
 * between asks with the same request again, and is given the same answer. The format is in docs/FORMAT.md.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { agreementKey } from '../codec/agree.ts'
import { signingKey, type SigningKey } from '../codec/sign.ts'
import type { DeviceSecrets } from './certificate.ts'
import type { PoolKeys } from './device-keys.ts'
import { readSecret, removeSecret, writeSecret } from './secret-file.ts'

const format = 1
const bytes = z.base64().transform((text) => Buffer.from(text, 'base64'))
const joiningFile = z.strictObject({
  format: z.literal(format),
  invite: z.string(),
  peer: z.string(),
  recordSeed: bytes,
  encryptionSeed: bytes,
  request: bytes,
})

/** What a device keeps of a request that it may have sent. */
export interface BegunRequest {
  secrets: DeviceSecrets & { peer: SigningKey }
  request: Uint8Array
}

/** What was begun under this very code (`inviteIdOf`, `paperIdOf`); undefined when nothing was. */
export async function loadJoining(
  home: string,
  code: string,
  peer: SigningKey,
): Promise<BegunRequest | undefined> {
  const found = await readSecret(placeOf(home))
  const file = joiningFile.safeParse(found && parse(found)).data
  const ours = file?.invite === code && file.peer === peerText(peer)
  if (file === undefined || !ours) return undefined
  const record = signingKey(file.recordSeed)
  const secrets = { record, encryption: agreementKey(file.encryptionSeed), peer }
  return { secrets, request: file.request }
}

export async function saveJoining(
  home: string,
  code: string,
  { secrets, request }: BegunRequest,
): Promise<void> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  const file = {
    format,
    invite: code,
    peer: peerText(secrets.peer),
    recordSeed: text(secrets.record.seed),
    encryptionSeed: text(secrets.encryption.seed),
    request: text(request),
  }
  await writeSecret(placeOf(home), Buffer.from(`${JSON.stringify(file, null, 2)}\n`))
}

/** Joined, or refused for good. */
export async function removeJoining(home: string): Promise<void> {
  await removeSecret(placeOf(home))
}

/** A joiner that was killed between saving its pool's keys and removing this file has joined all the same. */
export async function removeJoined(home: string, keys: PoolKeys): Promise<void> {
  const found = await readSecret(placeOf(home))
  const file = joiningFile.safeParse(found && parse(found)).data
  if (file?.recordSeed.equals(keys.secrets.record.seed) === true) await removeJoining(home)
}

/** Whether a code may have been redeemed by this home without its knowing. */
export async function hasJoining(home: string): Promise<boolean> {
  return (await readSecret(placeOf(home))) !== undefined
}

const placeOf = (home: string): string => join(home, 'keys', 'joining.json')
const peerText = (peer: SigningKey): string => Buffer.from(peer.publicKey).toString('base64')

/** A damaged file is as good as none: the code is then asked for with new keys. */
function parse(found: Buffer): unknown {
  try {
    return JSON.parse(found.toString('utf8'))
  } catch {
    return undefined
  }
}
