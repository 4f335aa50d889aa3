/** What a resource file exports: routes. `routes.ts` lists them all, `dispatch.ts` serves them. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Peer, Scope, Subject } from '../peer/peer.ts'
import type { DavLocks } from './dav-locks.ts'
import type { KnownDigests } from './digest.ts'
import type { SignInLimit } from './sign-in-limit.ts'
import type { Tickets } from './tickets.ts'
import type { RequestsUnderWay } from './under-way.ts'

/** What all requests of one web face share. */
export interface Face {
  peer: Peer
  clock: Clock
  random: Random
  log: Log
  signIns: SignInLimit
  passwords: SignInLimit
  tickets: Tickets
  locks: DavLocks
  digests: KnownDigests
  /** Host and port it listens on. */
  bound: { host: string; port: number }
  underWay: RequestsUnderWay
}

/** One request whose host, origin, token and scope were checked. */
export interface Call {
  face: Face
  peer: Peer
  request: IncomingMessage
  response: ServerResponse
  /** Values of `:name` parts of the route. */
  params: Record<string, string>
  /** What `*` at the end of the route matched, as `FOLDER/PATH`; '' when the route has none. */
  path: string
  query: URLSearchParams
  /** Who asks; on open routes nobody may. */
  subject: Subject | undefined
  /** Aborted when the client goes away, may ask no more, or the face closes. */
  signal: AbortSignal
}

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE' | DavMethod
export type DavMethod = 'PROPFIND' | 'PROPPATCH' | 'MKCOL' | 'COPY' | 'MOVE' | 'LOCK' | 'UNLOCK'

export interface Route {
  /** `GET` serves `HEAD` too. */
  method: Method
  /** `/api/v1/devices/:name`; a last part `*` matches everything below, and nothing. */
  path: string
  /** What the asker must be allowed on the path that `*` matched, or on the whole peer. */
  scope: Scope | 'open'
  /** Tokens confined to a folder may call it: it checks each path itself. */
  checksPaths?: true
  /** For programs that ask for a name and a password: no cookie, so that no page can call it. */
  signIn?: 'basic'
  /** A value is sent as JSON, `undefined` as 204, `answered` not at all. */
  handle(call: Call): unknown
}

/** A handler has written the response itself. */
export const answered = Symbol('answered')

/** A JSON answer with another status than 200. */
export class Reply {
  readonly status: number
  readonly value: unknown
  constructor(status: number, value: unknown) {
    this.status = status
    this.value = value
  }
}
