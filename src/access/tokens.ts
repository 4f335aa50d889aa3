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
  scopes: readonly Scope[]
  folder: string | undefined
  created: string
  expires: string | undefined
  lastUsed: string | undefined
}

export interface SessionLine {
  id: string
  created: string
  lastUsed: string
  agent: string
}

export interface Tokens {
  /** New at each start; the fragment of the link, and a bearer token with scope admin. */
  readonly launchToken: string
  /** The subject of a bearer token, or undefined. Constant-time. */
  ofToken(token: string): Subject | undefined
  /** The subject of a session cookie's value, or undefined. */
  ofSession(cookie: string): Subject | undefined
  create(options: {
    name: string
    scopes: readonly Scope[]
    folder?: string | undefined
    expiresMs?: number | undefined
  }): Promise<TokenLine & { token: string }>
  list(): TokenLine[]
  revoke(id: string): Promise<void>
  /** Exchanges a valid launch token for a session; answers the cookie's value. */
  openSession(launchToken: string, agent: string): Promise<string>
  sessions(): SessionLine[]
  closeSession(id: string): Promise<void>
  /** Fails with FORBIDDEN unless the subject may do `scope` on `path` (`FOLDER/PATH`, undefined: the whole peer). */
  require(subject: Subject, scope: Scope, path?: string): void
}
