/**
 * A certificate that a web face signs for itself (X.509 v3, ECDSA on P-256 with SHA-256), written as DER
 * by hand: nothing of it depends on the machine, and no library of a hundred algorithms comes along.
 */
import { createECDH, createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'
import type { Random } from '../base/random.ts'

export interface SelfSigned {
  /** PKCS #8 and X.509, both PEM. */
  key: string
  certificate: string
}

export interface CertificateWish {
  /** Common name, for people. */
  name: string
  /** Host names and IPv4 addresses that it is for. */
  hosts: readonly string[]
  /** Wall milliseconds. */
  from: number
  until: number
}

export function selfSigned({ name, hosts, from, until }: CertificateWish, random: Random): SelfSigned {
  const privateKey = newKey(random)
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  // Positive, and never with a leading zero.
  const serial = Buffer.concat([Buffer.of(0x40), random.bytes(15)])
  const whose = sequence(tlv(0x31, sequence(oids.commonName, tlv(0x0c, Buffer.from(name.slice(0, 60))))))
  const body = sequence(
    tlv(0xa0, integer(Buffer.of(2))),
    integer(serial),
    algorithm,
    whose,
    sequence(time(from), time(until)),
    whose,
    publicKey,
    tlv(0xa3, sequence(...extensions(hosts))),
  )
  const certificate = sequence(body, algorithm, bits(0, sign('sha256', body, privateKey)))
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  return { key, certificate: pem('CERTIFICATE', certificate) }
}

/** SHA-256 of a certificate, as browsers show it: `AB:CD:…`. */
export function fingerprintOf(certificate: string): string {
  const text = /-----BEGIN CERTIFICATE-----([\s\S]*?)-----END CERTIFICATE-----/.exec(certificate)?.[1] ?? ''
  const digest = createHash('sha256').update(Buffer.from(text, 'base64')).digest('hex').toUpperCase()
  return (digest.match(/../g) as string[]).join(':')
}

function newKey(random: Random): ReturnType<typeof createPrivateKey> {
  const curve = createECDH('prime256v1')
  const secret = random.bytes(32)
  curve.setPrivateKey(secret)
  const point = curve.getPublicKey()
  const text = (bytes: Buffer): string => bytes.toString('base64url')
  const key = {
    kty: 'EC',
    crv: 'P-256',
    d: text(secret),
    x: text(point.subarray(1, 33)),
    y: text(point.subarray(33)),
  }
  return createPrivateKey({ format: 'jwk', key })
}

const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'))

const oids = {
  commonName: oid('550403'),
  ecdsaWithSha256: oid('2a8648ce3d040302'),
  basicConstraints: oid('551d13'),
  keyUsage: oid('551d0f'),
  extendedKeyUsage: oid('551d25'),
  serverAuth: oid('2b06010505070301'),
  subjectAltName: oid('551d11'),
}

const algorithm = sequence(oids.ecdsaWithSha256)

/** No authority over others; signs handshakes of a server of these names. */
function extensions(hosts: readonly string[]): Buffer[] {
  const critical = tlv(0x01, Buffer.of(0xff))
  const names = hosts.map((host) =>
    isIPv4(host) ? tlv(0x87, Buffer.from(host.split('.').map(Number))) : tlv(0x82, Buffer.from(host)),
  )
  return [
    sequence(oids.basicConstraints, critical, octets(sequence())),
    sequence(oids.keyUsage, critical, octets(bits(7, Buffer.of(0x80)))),
    sequence(oids.extendedKeyUsage, octets(sequence(oids.serverAuth))),
    sequence(oids.subjectAltName, octets(sequence(...names))),
  ]
}

// DER: a tag, the length of what follows, what follows.

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, ...parts)
}

function integer(bytes: Buffer): Buffer {
  return tlv(0x02, bytes)
}

function octets(content: Buffer): Buffer {
  return tlv(0x04, content)
}

function bits(unused: number, content: Buffer): Buffer {
  return tlv(0x03, Buffer.of(unused), content)
}

/** Two digits of the year up to 2049, as the standard wants it. */
function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`
  return text < '2050' ? tlv(0x17, Buffer.from(text.slice(2))) : tlv(0x18, Buffer.from(text))
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) as string[]
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
