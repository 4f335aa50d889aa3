/**
 * Who is asking over HTTP or the command line: launch token, API tokens, browser sessions.
 * `open-tokens.ts` builds it over the store's own rows. Only hashes are stored.
 */

/** `admin` includes all others; `write` includes `read`. */
export type Scope = 'read' | 'write' | 'admin' | 'metrics'

/** What a request may do, once its token or session was checked. */
export interface Subject {
  kind: 'launch' | 'token' | 'session'
  id: string
  scopes: readonly Scope[]
  /** Path prefix `FOLDER[/PATH]` it is confined to; undefined: everything. */
  folder: string | undefined
}

export interface TokenLine {
  id: string
  name: string
  /** It is a key pair of S3 too. */
  s3: boolean
  scopes: readonly Scope[]
  folder: string | undefined
  created: string
  expires: string | undefined
  lastUsed: string | undefined
}

/** What an S3 client is told once: the key's id is the token's, the secret is an HMAC of it. */
export interface S3KeyPair {
  accessKeyId: string
  secretAccessKey: string
}

/** Part of a signature of version 4 that its key is made for: day `YYYYMMDD`, and a region that means nothing here. */
export interface SigningScope {
  day: string
  region: string
}

/** Who signs with an S3 key, and whether a signature is his. The key itself stays inside. */
export interface S3Signer {
  subject: Subject
  /** Whether `signature`, lower-case hex, is the one of `text`. Constant-time. */
  accepts(text: string, signature: string): boolean
}

export interface SessionLine {
  id: string
  /** Signed in by the link with the launch token, or by the page's password. */
  by: 'link' | 'password'
  created: string
  lastUsed: string
  agent: string
}

/** A token as it is shown once. */
export interface NewToken extends TokenLine {
  token: string
  keyPair?: S3KeyPair
}

export interface Tokens {
  /** New at each start; the fragment of the link, and a bearer token with scope admin. */
  readonly launchToken: string
  /** The subject of a bearer token, or undefined. Constant-time. */
  ofToken(token: string): Subject | undefined
  /** The signer with an S3 key, or undefined when the key is not known, not for S3, or over. */
  ofS3Key(accessKeyId: string, scope: SigningScope): S3Signer | undefined
  /** The subject of a session cookie's value, or undefined. */
  ofSession(cookie: string): Subject | undefined
  create(options: {
    name: string
    scopes: readonly Scope[]
    folder?: string | undefined
    expiresMs?: number | undefined
    /** Makes a key pair for S3 clients too. */
    s3?: boolean | undefined
  }): Promise<NewToken>
  list(): TokenLine[]
  revoke(id: string): Promise<void>
  /** Exchanges a valid launch token for a session; answers the cookie's value. */
  openSession(launchToken: string, agent: string): Promise<string>
  /** The same for the page's password; `NOT_SIGNED_IN` when it is wrong or none is set. */
  openSessionByPassword(password: string, agent: string): Promise<string>
  hasPassword(): boolean
  /** Sets the page's password; sessions that were opened by the one before end. */
  setPassword(password: string): Promise<void>
  removePassword(): Promise<void>
  sessions(): SessionLine[]
  /** Also of a session that is over already. */
  closeSession(id: string): Promise<void>
  /** Whether a subject that was let in still may be: its token or session was not ended, and its time is not over. */
  stands(subject: Subject): boolean
  /** Tells the id of each token or session that is ended; the result stops it. */
  onEnded(listener: (id: string) => void): () => void
  /** Fails with FORBIDDEN unless the subject may do `scope` on `path` (`FOLDER/PATH`, undefined: the whole peer). */
  require(subject: Subject, scope: Scope, path?: string): void
}
