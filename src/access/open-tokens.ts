/**
 * Tokens and sessions over the store's own rows. A token or cookie is 32 random bytes; only its hash
 * is kept. Rows are found by a part of that hash and compared as a whole in constant time.
 */
import { timingSafeEqual } from 'node:crypto'
import { timeText, type Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { derive } from '../codec/hash.ts'
import { acceptsHmac, hmacSha256 } from '../codec/hmac.ts'
import { PagePassword } from './page-password.ts'
import type { OwnKind, OwnState } from '../store/store.ts'
import type {
  NewToken,
  S3Signer,
  Scope,
  SessionLine,
  SigningScope,
  Subject,
  TokenLine,
  Tokens,
} from './tokens.ts'

export interface TokensParts {
  own: OwnState
  clock: Clock
  random: Random
  log: Log
  /** 32 bytes of which the secrets of S3 keys are made; the same for the life of a home. */
  serverKey: Uint8Array
}

interface TokenRow {
  hash: string
  s3?: true
  name: string
  scopes: Scope[]
  folder?: string
  created: number
  expires?: number
  lastUsed?: number
}

interface SessionRow {
  hash: string
  created: number
  lastUsed: number
  agent: string
  by?: 'password'
}

/** Opens the tokens of this peer with a new launch token. */
export function openTokens(parts: TokensParts): Tokens {
  return new OwnTokens(parts)
}

class OwnTokens implements Tokens {
  readonly launchToken: string
  readonly #parts: TokensParts
  readonly #launchHash: Buffer
  readonly #password: PagePassword
  readonly #listeners = new Set<(id: string) => void>()
  /** Ended in this run: a use that is being noted must not bring one back. */
  readonly #ended = new Set<string>()

  constructor(parts: TokensParts) {
    this.#parts = parts
    this.launchToken = parts.random.bytes(32).toString('base64url')
    this.#launchHash = hashOf(this.launchToken)
    this.#password = new PagePassword(parts.own, parts.random)
  }

  ofToken(token: string): Subject | undefined {
    if (this.#isLaunch(token)) return { kind: 'launch', id: 'launch', scopes: ['admin'], folder: undefined }
    const found = this.#find<TokenRow>('token', token)
    if (found === undefined || this.#isExpired(found.row)) return undefined
    this.#touch('token', found.id, found.row)
    const { scopes, folder } = found.row
    return { kind: 'token', id: found.id, scopes, folder }
  }

  ofS3Key(accessKeyId: string, scope: SigningScope): S3Signer | undefined {
    const row = this.#row<TokenRow>('token', accessKeyId)
    if (row?.s3 !== true || this.#isExpired(row)) return undefined
    const key = signingKeyOf(secretOf(this.#parts.serverKey, accessKeyId), scope)
    const { scopes, folder } = row
    return {
      subject: { kind: 'token', id: accessKeyId, scopes, folder },
      accepts: (text, signature) => {
        const accepted = acceptsHmac(key, text, signature)
        if (accepted) this.#touch('token', accessKeyId, row)
        return accepted
      },
    }
  }

  ofSession(cookie: string): Subject | undefined {
    const found = this.#find<SessionRow>('session', cookie)
    if (found === undefined || this.#isOver(found.row)) return undefined
    this.#touch('session', found.id, found.row)
    return { kind: 'session', id: found.id, scopes: ['admin'], folder: undefined }
  }

  async create(options: Parameters<Tokens['create']>[0]): Promise<NewToken> {
    const { name, scopes, folder, expiresMs, s3 } = options
    if (scopes.length === 0) throw fail('BAD_INPUT', { what: 'the token', reason: 'it has no scope' })
    if (this.#rows('token').length >= limits.tokens)
      throw fail('BAD_INPUT', { what: 'the token', reason: `there are ${limits.tokens} already` })
    const token = this.#parts.random.bytes(32).toString('base64url')
    const hash = hashOf(token)
    const row: TokenRow = {
      hash: hash.toString('hex'),
      name,
      scopes: [...scopes],
      created: this.#now(),
      ...(folder !== undefined && { folder: folder.replace(/\/+$/, '') }),
      ...(expiresMs !== undefined && { expires: this.#now() + expiresMs }),
      ...(s3 === true && { s3: true as const }),
    }
    const id = idOf(hash)
    await this.#parts.own.put('token', id, row)
    const keyPair = { accessKeyId: id, secretAccessKey: secretOf(this.#parts.serverKey, id) }
    return { ...tokenLine(id, row), token, ...(s3 === true && { keyPair }) }
  }

  list(): TokenLine[] {
    return this.#rows<TokenRow>('token').map(({ id, value }) => tokenLine(id, value))
  }

  async revoke(id: string): Promise<void> {
    if (this.#parts.own.get('token', id) === undefined) throw fail('NOT_FOUND', { what: 'token', name: id })
    await this.#end('token', id)
  }

  async openSession(launchToken: string, agent: string): Promise<string> {
    if (!this.#isLaunch(launchToken)) throw fail('NOT_SIGNED_IN')
    return await this.#openSession(agent, {})
  }

  async openSessionByPassword(password: string, agent: string): Promise<string> {
    if (!(await this.#password.accepts(password))) throw fail('NOT_SIGNED_IN')
    return await this.#openSession(agent, { by: 'password' })
  }

  hasPassword(): boolean {
    return this.#password.isSet()
  }

  async setPassword(password: string): Promise<void> {
    await this.#password.set(password)
    await this.#endPasswordSessions()
  }

  async removePassword(): Promise<void> {
    await this.#password.remove()
    await this.#endPasswordSessions()
  }

  async #openSession(agent: string, how: Pick<SessionRow, 'by'>): Promise<string> {
    await this.#makeRoom()
    const cookie = this.#parts.random.bytes(32).toString('base64url')
    const hash = hashOf(cookie)
    const now = this.#now()
    const row: SessionRow = {
      hash: hash.toString('hex'),
      created: now,
      lastUsed: now,
      agent: agent.slice(0, 256),
      ...how,
    }
    await this.#parts.own.put('session', idOf(hash), row)
    return cookie
  }

  sessions(): SessionLine[] {
    return this.#rows<SessionRow>('session')
      .filter(({ value }) => !this.#isOver(value))
      .map(({ id, value }) => ({
        id,
        by: value.by ?? 'link',
        created: timeText(value.created),
        lastUsed: timeText(value.lastUsed),
        agent: value.agent,
      }))
  }

  async closeSession(id: string): Promise<void> {
    await this.#end('session', id)
  }

  stands({ kind, id }: Subject): boolean {
    if (kind === 'launch') return true
    if (kind === 'session') {
      const row = this.#row<SessionRow>('session', id)
      return row !== undefined && !this.#isOver(row)
    }
    const row = this.#row<TokenRow>('token', id)
    return row !== undefined && !this.#isExpired(row)
  }

  onEnded(listener: (id: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  require(subject: Subject, scope: Scope, path?: string): void {
    if (!subject.scopes.some((has) => includes(has, scope)))
      throw fail('FORBIDDEN', { role: `this ${subject.kind}`, action: `use scope ${scope}` })
    if (subject.folder !== undefined && scope !== 'metrics' && !isWithin(subject.folder, path))
      throw fail('FORBIDDEN', { role: `this ${subject.kind}`, action: `leave ${subject.folder}` })
  }

  /** The oldest sessions end when there are too many; those that are over go first. */
  async #makeRoom(): Promise<void> {
    const rows = this.#rows<SessionRow>('session').sort((a, b) => b.value.lastUsed - a.value.lastUsed)
    const ended = rows.filter(({ value }, index) => this.#isOver(value) || index >= limits.sessions - 1)
    for (const { id } of ended) await this.#end('session', id)
  }

  async #endPasswordSessions(): Promise<void> {
    for (const { id, value } of this.#rows<SessionRow>('session'))
      if (value.by === 'password') await this.#end('session', id)
  }

  /** Nobody is let in from here on; durable when it resolves. */
  async #end(kind: OwnKind, id: string): Promise<void> {
    if (this.#row(kind, id) === undefined) return
    this.#ended.add(id)
    try {
      await this.#parts.own.remove(kind, id)
    } finally {
      for (const listener of this.#listeners) listener(id)
    }
  }

  #row<Row>(kind: OwnKind, id: string): Row | undefined {
    return this.#ended.has(id) ? undefined : this.#parts.own.get<Row>(kind, id)
  }

  #isExpired(row: TokenRow): boolean {
    return (row.expires ?? Infinity) <= this.#now()
  }

  #isLaunch(token: string): boolean {
    return timingSafeEqual(hashOf(token), this.#launchHash)
  }

  #find<Row extends { hash: string }>(kind: OwnKind, secret: string): { id: string; row: Row } | undefined {
    const hash = hashOf(secret)
    const row = this.#row<Row>(kind, idOf(hash))
    if (row === undefined || !timingSafeEqual(Buffer.from(row.hash, 'hex'), hash)) return undefined
    return { id: idOf(hash), row }
  }

  /** Remembers the last use, at most once a minute: reading a page must not write a row for each request. */
  #touch(kind: OwnKind, id: string, row: { lastUsed?: number }): void {
    const now = this.#now()
    if (this.#ended.has(id) || now - (row.lastUsed ?? 0) < limits.lastUsedEveryMs) return
    this.#parts.own.put(kind, id, { ...row, lastUsed: now }).catch((reason: unknown) => {
      this.#parts.log.warn('the last use of a token was not kept', { reason: String(reason) })
    })
  }

  #isOver(row: SessionRow): boolean {
    return row.lastUsed + limits.sessionLifeMs <= this.#now()
  }

  #rows<Row>(kind: OwnKind): { id: string; value: Row }[] {
    return this.#parts.own.list<Row>(kind)
  }

  #now(): number {
    return this.#parts.clock.now()
  }
}

/** Secrets of 256 random bits need no salt and no slow hash. */
function hashOf(secret: string): Buffer {
  return derive('peerstor/1 token', Buffer.from(secret))
}

function idOf(hash: Buffer): string {
  return hash.subarray(0, 8).toString('hex')
}

/** An S3 secret is never stored: it follows from the key's id and the server key. */
function secretOf(serverKey: Uint8Array, accessKeyId: string): string {
  return hmacSha256(serverKey, accessKeyId).toString('base64url')
}

/** The key of signature version 4 for one day, region and the service `s3`. */
function signingKeyOf(secret: string, { day, region }: SigningScope): Buffer {
  return [day, region, 's3', 'aws4_request'].reduce(hmacSha256, Buffer.from(`AWS4${secret}`))
}

function includes(has: Scope, wanted: Scope): boolean {
  return has === wanted || has === 'admin' || (has === 'write' && wanted === 'read')
}

/** Whole parts of a path only: `photos` does not include `photos2`. */
/** Both in the form in which paths are opened. */
function isWithin(folder: string, path: string | undefined): boolean {
  if (path === undefined) return false
  const [top, opened] = [folder.normalize('NFC'), path.normalize('NFC')]
  return opened === top || opened.startsWith(`${top}/`)
}

function tokenLine(id: string, row: TokenRow): TokenLine {
  const { name, scopes, folder, created, expires, lastUsed } = row
  const text = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : timeText(ms))
  return {
    id,
    name,
    s3: row.s3 === true,
    scopes,
    folder,
    created: timeText(created),
    expires: text(expires),
    lastUsed: text(lastUsed),
  }
}
