/** `/api/v1/restore`: earlier versions, what was removed, and whole folders as they were at a time. */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { TreeRestored } from '../peer/peer.ts'
import { jsonBody } from './body.ts'
import { errorOf } from './errors.ts'
import { recordHash, time } from './inputs.ts'
import { type Call, type Route, answered } from './route.ts'

export const restoreRoutes: Route[] = [
  { method: 'POST', path: '/api/v1/restore/*', scope: 'write', handle: restore },
]

export const restoreBody = z.strictObject({
  version: recordHash.optional(),
  at: time.optional(),
  /** Of what was removed only what was removed since then. */
  since: time.optional(),
  dryRun: z.boolean().default(false),
})

async function restore(call: Call): Promise<unknown> {
  const { version, since, at, dryRun } = await jsonBody(call, restoreBody)
  if (at === undefined && !dryRun && (since === undefined || version === undefined))
    return call.peer.files.restore(call.path, { version, since, signal: call.signal })
  if (at === undefined || version !== undefined || since !== undefined)
    throw fail('BAD_INPUT', {
      what: 'the body',
      reason: '`version`, `since` and `at` stand alone, `dryRun` with `at`',
    })
  if (!call.request.headers.accept?.includes('application/x-ndjson'))
    return call.peer.files.restoreAt(call.path, at, { dryRun, signal: call.signal })
  return tellProgress(call, (onProgress) =>
    call.peer.files.restoreAt(call.path, at, { dryRun, signal: call.signal, onProgress }),
  )
}

/** JSON lines: `{done, total}` as it goes on, and at the end `{result}` or `{error}`. */
async function tellProgress(
  { response }: Call,
  run: (onProgress: (event: { done: number; total: number }) => void) => Promise<TreeRestored>,
): Promise<typeof answered> {
  const write = (line: object): void => void response.write(`${JSON.stringify(line)}\n`)
  response.setHeader('content-type', 'application/x-ndjson')
  response.setHeader('cache-control', 'no-store')
  response.writeHead(200)
  response.flushHeaders()
  try {
    write({ result: await run(write) })
  } catch (thrown) {
    write({ error: errorOf(thrown).toJSON() })
  }
  response.end()
  return answered
}
