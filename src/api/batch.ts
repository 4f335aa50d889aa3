/**
 * `POST /api/v1/batch`: many small files in one framed stream (`batch-frames.ts`), one JSON line of
 * acknowledgement for each as soon as its group is durable, and `{end: {stored, failed}}` as the last.
 * Many files are written at once, so that one sync of the disk covers all that arrived meanwhile.
 */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import { type Frame, readFrames } from './batch-frames.ts'
import { bodyBytes, queryOf } from './body.ts'
import { errorOf } from './errors.ts'
import { factsNow } from './file-headers.ts'
import { type Call, type Route, answered } from './route.ts'
import { Window } from './window.ts'

export const batchRoutes: Route[] = [
  { method: 'POST', path: '/api/v1/batch', scope: 'write', checksPaths: true, handle: batch },
]

export const batchQuery = z.strictObject({ durability: z.coerce.number().int().min(1).max(64).optional() })

async function batch(call: Call): Promise<typeof answered> {
  const { durability } = queryOf(call, batchQuery)
  const lines = new Lines(call)
  const window = new Window(limits.batchFilesInFlight, limits.batchBytesInFlight)
  let stored = 0
  let failed = 0
  const acknowledge = async (frame: Frame): Promise<void> => {
    const line = await storeFile(call, frame, durability)
    if ('error' in line) failed += 1
    else stored += 1
    lines.write(line)
  }
  try {
    for await (const frame of readFrames(bodyBytes(call.face, call.request))) {
      const size = frame.content.length
      await window.enter(size)
      void acknowledge(frame).finally(() => window.leave(size))
    }
    await window.empty()
    lines.write({ end: { stored, failed } })
  } catch (thrown) {
    await window.empty()
    lines.write({ error: errorOf(thrown).toJSON() })
  }
  return lines.end()
}

/** The acknowledgement of one file, as `PUT` answers it, or its error. */
async function storeFile(call: Call, frame: Frame, durability: number | undefined): Promise<object> {
  const { path, ...given } = frame.header
  const facts = factsNow(given, call.face.clock)
  try {
    if (call.subject !== undefined) call.peer.tokens.require(call.subject, 'write', path)
    return await call.peer.files.put(path, one(frame.content), { ...facts, durability, signal: call.signal })
  } catch (thrown) {
    return { path, error: errorOf(thrown).toJSON() }
  }
}

async function* one(content: Uint8Array): AsyncGenerator<Uint8Array> {
  if (content.length > 0) yield await Promise.resolve(content)
}

/** JSON lines to the client; lines of one turn of the event loop leave in one packet. */
class Lines {
  readonly #call: Call
  #corked = false

  constructor(call: Call) {
    this.#call = call
    const { request, response } = call
    response.setHeader('content-type', 'application/x-ndjson')
    response.setHeader('cache-control', 'no-store')
    response.writeHead(200)
    response.flushHeaders()
    if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue()
  }

  write(line: object): void {
    const { response } = this.#call
    if (!this.#corked) {
      this.#corked = true
      response.cork()
      setImmediate(() => {
        this.#corked = false
        response.uncork()
      })
    }
    response.write(`${JSON.stringify(line)}\n`)
  }

  end(): typeof answered {
    this.#call.response.end()
    return answered
  }
}
