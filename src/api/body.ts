/** Reads request bodies: JSON with a limit and a schema, bulk bytes with back-pressure and a stall timer. */
import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { BodyReader } from './body-reader.ts'
import type { Call, Face } from './route.ts'

/** The JSON body of a request as `schema` reads it; an empty body is `{}`. */
export async function jsonBody<Schema extends z.ZodType>(
  call: Call,
  schema: Schema,
): Promise<z.output<Schema>> {
  const declared = Number(call.request.headers['content-length'] ?? 0)
  if (declared > limits.httpJsonBytes) throw tooLarge()
  const parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of bodyBytes(call.face, call.request)) {
    length += chunk.length
    if (length > limits.httpJsonBytes) throw tooLarge()
    parts.push(chunk)
  }
  return checked(schema, parseJson(Buffer.concat(parts).toString('utf8')), 'the body')
}

/** The query of a request as `schema` reads it; parameters that it does not name are refused. */
export function queryOf<Schema extends z.ZodType>(call: Call, schema: Schema): z.output<Schema> {
  return checked(schema, Object.fromEntries(call.query), 'the query')
}

/** Outside input through a schema; `BAD_INPUT` names the field and the rule, never the value. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const field = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `
  throw fail('BAD_INPUT', { what, reason: `${field}${issue?.message ?? 'not of the right form'}` })
}

/**
 * The bytes of a request as they come, or in blocks of at least `blockBytes`; each in memory of its own.
 * A client that sends nothing for `limits.stallTimeoutMs` is given up. Leaving early keeps the socket open.
 */
export async function* bodyBytes(
  face: Face,
  request: IncomingMessage,
  blockBytes = 1,
): AsyncGenerator<Uint8Array> {
  const reader = new BodyReader(request, face.clock, blockBytes)
  try {
    for (let block = await reader.next(); block !== undefined; block = await reader.next()) yield block
  } finally {
    reader.close()
  }
}

/** `bodyBytes` of an upload, in blocks; a client that waits for `100 Continue` hears it when the first byte is really wanted. */
export async function* wantedBytes({ face, request, response }: Call): AsyncGenerator<Uint8Array> {
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue()
  yield* bodyBytes(face, request, limits.bodyBlockBytes)
}

function parseJson(text: string): unknown {
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw fail('BAD_INPUT', { what: 'the body', reason: 'it is no JSON' }, thrown)
  }
}

const tooLarge = (): Error => fail('TOO_LARGE', { what: 'the body', limit: limits.httpJsonBytes })
