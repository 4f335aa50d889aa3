/** `keys/web.json`: the key and certificate with which the web face speaks https, made when there is none, renewed in time. */
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import { fingerprintOf, selfSigned, type SelfSigned } from '../codec/self-signed.ts'
import { readSecret, writeSecret } from './secret-file.ts'

export interface WebCertificate extends SelfSigned {
  /** SHA-256, as browsers show it. */
  fingerprint: string
  /** Made here, so that a browser asks whether to trust it. */
  selfSigned: boolean
}

const format = 1
const webFile = z.strictObject({
  format: z.literal(format),
  /** Wall milliseconds. */
  until: z.number(),
  key: z.string(),
  certificate: z.string(),
})

/** For `hosts` as they are when it is made. A damaged file is as good as none. */
export async function loadWebCertificate(
  home: string,
  wish: { name: string; hosts: readonly string[] },
  clock: Clock,
  random: Random,
): Promise<WebCertificate> {
  const path = join(home, 'keys', 'web.json')
  const found = await readSecret(path)
  const known = webFile.safeParse(found && parse(found)).data
  const now = clock.now()
  if (known !== undefined && known.until - now > limits.webCertificateRenewMs) return shown(known)
  const until = now + limits.webCertificateMs
  // A day in the past: clocks of browsers differ.
  const made = selfSigned({ ...wish, from: now - 86_400_000, until }, random)
  await writeSecret(path, `${JSON.stringify({ format, until, ...made }, null, 2)}\n`)
  return shown(made)
}

function shown({ key, certificate }: SelfSigned): WebCertificate {
  return { key, certificate, fingerprint: fingerprintOf(certificate), selfSigned: true }
}

function parse(found: Buffer): unknown {
  try {
    return JSON.parse(found.toString('utf8'))
  } catch {
    return undefined
  }
}
