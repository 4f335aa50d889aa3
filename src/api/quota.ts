/** `/api/v1/quota`: how much this peer keeps for the pool, folders may hold, and what could go. */
import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { fail, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Candidate, Files } from '../peer/peer.ts'
import { jsonBody, queryOf } from './body.ts'
import { withDetails } from './errors.ts'
import { line } from './inputs.ts'
import type { Call, Face, Route } from './route.ts'

export const quotaRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/quota', scope: 'read', handle: (call) => call.peer.quota() },
  { method: 'PUT', path: '/api/v1/quota', scope: 'admin', handle: setQuota },
  { method: 'GET', path: '/api/v1/quota/free', scope: 'read', checksPaths: true, handle: couldGo },
]

export const quotaBody = z.strictObject({ contributed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER) })

async function setQuota(call: Call): Promise<unknown> {
  const { contributed } = await jsonBody(call, quotaBody)
  await call.peer.settings.set('contribute', String(contributed))
  return call.peer.quota()
}

export const freeQuery = z.strictObject({
  folder: line(limits.nameBytes).optional(),
  limit: z.coerce.number().int().min(1).max(limits.listEntries).optional(),
})

function couldGo(call: Call): unknown {
  if (call.subject === undefined) throw fail('NOT_SIGNED_IN')
  return call.peer.filesFor(call.subject).large(queryOf(call, freeQuery))
}

/** Programs that meet a full quota try again and again: an answer is used ten times as long as it took. */
const freshTimes = 10
const candidatesTold = 10

interface Looked {
  entries: Promise<Candidate[]>
  /** Monotonic; undefined while it is looked for. */
  until?: number
}
const looked = new WeakMap<Face, Map<string, Looked>>()

/** `QUOTA_FULL` with what could go, as far as the asker may see it. */
export async function withCandidates(call: Call, error: PeerStorError): Promise<PeerStorError> {
  const { face, subject } = call
  if (subject === undefined) return error
  const folder = typeof error.data['folder'] === 'string' ? error.data['folder'] : undefined
  const known = looked.get(face) ?? new Map<string, Looked>()
  looked.set(face, known)
  const now = face.clock.monotonicMs()
  for (const [key, { until }] of known) if (until !== undefined && until <= now) known.delete(key)
  const key = `${subject.id} ${folder ?? ''}`
  const found = known.get(key) ?? look(call.peer.filesFor(subject), folder, face.clock)
  known.set(key, found)
  return withDetails(error, { candidates: await found.entries })
}

function look(files: Files, folder: string | undefined, clock: Clock): Looked {
  const began = clock.monotonicMs()
  const lookNow = async (): Promise<Candidate[]> => {
    try {
      return (await files.large({ folder, limit: candidatesTold })).entries
    } catch {
      // What could go is a help beside the refusal, nothing more.
      return []
    } finally {
      const now = clock.monotonicMs()
      found.until = now + freshTimes * (now - began)
    }
  }
  const found: Looked = { entries: Promise.resolve([]) }
  found.entries = lookNow()
  return found
}
