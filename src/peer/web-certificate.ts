/** The certificate of the web face: the one that the settings name, else one made by this device. */
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { createSecureContext } from 'node:tls'
import { loadWebCertificate, type WebCertificate } from '../access/web-certificate.ts'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { fingerprintOf } from '../codec/self-signed.ts'
import { ownAddresses } from './own-address.ts'
import type { Settings } from './settings.ts'

/** `SETTING_INVALID` when the files that are named are none. */
export async function openWebCertificate(
  home: string,
  settings: Settings,
  clock: Clock,
  random: Random,
): Promise<WebCertificate> {
  const [cert, key] = [settings.get('tls-cert'), settings.get('tls-key')]
  if (cert !== undefined || key !== undefined) return ownCertificate(cert, key)
  const names = ['localhost', hostname(), settings.get('name') ?? ''].filter((name) => /^[\w.-]+$/.test(name))
  const hosts = [...names, ...names.map((name) => `${name}.local`), '127.0.0.1', ...ownAddresses()]
  const wish = { name: `PeerStor on ${settings.get('name') ?? hostname()}`, hosts: [...new Set(hosts)] }
  return loadWebCertificate(home, wish, clock, random)
}

async function ownCertificate(
  certFile: string | undefined,
  keyFile: string | undefined,
): Promise<WebCertificate> {
  const certificate = await fileOf('tls-cert', certFile)
  const key = await fileOf('tls-key', keyFile)
  try {
    createSecureContext({ cert: certificate, key })
  } catch (thrown) {
    throw fail('SETTING_INVALID', { key: 'tls-cert', value: certFile, reason: reasonOf(thrown) }, thrown)
  }
  return { key, certificate, fingerprint: fingerprintOf(certificate), selfSigned: false }
}

async function fileOf(key: 'tls-cert' | 'tls-key', path: string | undefined): Promise<string> {
  if (path === undefined) throw fail('SETTING_INVALID', { key, value: '', reason: 'both files are needed' })
  return readFile(path, 'utf8').catch((thrown: unknown) => {
    throw fail('SETTING_INVALID', { key, value: path, reason: reasonOf(thrown) }, thrown)
  })
}

/** The runtime's word for it, never the content. */
function reasonOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException).code ?? 'it is no certificate with its key'
}
