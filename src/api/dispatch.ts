/** One request from its first byte to its answer: rules, route, asker, handler, reply. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asPeerStorError, fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { authenticate, authenticateToken } from './auth.ts'
import { encodedWhole, encodingOf } from './encoding.ts'
import { errorOf, sendProblem } from './errors.ts'
import { answerOptions } from './options.ts'
import { parseRequestPath } from './request-path.ts'
import { withCandidates } from './quota.ts'
import { type Call, type Face, type Route, Reply, answered } from './route.ts'
import { type Match, matchRoute } from './router.ts'
import { dropWhenStalled, sendBytes } from './send.ts'
import { isTus, setTusHeaders, tusMethod } from './tus.ts'
import { isS3, serveS3 } from './s3.ts'
import type { UnderWay } from './under-way.ts'
import { requireHost, requireOrigin, setCommonHeaders, setCorsHeaders } from './web-rules.ts'

/** Serves one request; never throws, whatever was sent. */
export async function dispatch(
  face: Face,
  routes: readonly Route[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.on('error', () => undefined)
  response.on('error', () => undefined)
  const underWay = face.underWay.begin(response)
  try {
    setCommonHeaders(face, request, response)
    await serve(face, routes, request, response, underWay)
  } catch (thrown) {
    const error = errorOf(thrown)
    if (error.status >= 500)
      face.log.warn('request failed', {
        code: error.code,
        reason: error.message,
        method: request.method,
        causes: error.data['causes'],
      })
    sendProblem(request, response, error, face.clock)
  }
  if (response.writableEnded && !response.writableFinished) dropUnread(face, response)
}

/** An answer that was given whole, but is not read: it would hold its socket for ever. */
function dropUnread(face: Face, response: ServerResponse): void {
  const stop = dropWhenStalled(response, face.clock)
  response.once('finish', stop)
  response.once('close', stop)
}

async function serve(
  face: Face,
  routes: readonly Route[],
  request: IncomingMessage,
  response: ServerResponse,
  underWay: UnderWay,
): Promise<void> {
  requireHost(face, request)
  setCorsHeaders(face, request, response)
  requireOrigin(face, request)
  if (isTus(request)) setTusHeaders(request, response)
  if (request.method === 'OPTIONS') return answerOptions(routes, request, response)
  if (isS3(request)) return serveS3(face, request, response, underWay)
  const { segments, query } = parseRequestPath(request.url ?? '')
  const match = matchRoute(routes, isTus(request) ? tusMethod(request) : (request.method ?? ''), segments)
  const subject = authorise(face, match, request, response)
  underWay.subject = subject?.id
  const { signal } = underWay
  const call: Call = { face, peer: face.peer, request, response, ...match, query, subject, signal }
  try {
    await sendValue(call, await match.route.handle(call))
  } catch (thrown) {
    throw isCode(thrown, 'QUOTA_FULL') ? await withCandidates(call, asPeerStorError(thrown)) : thrown
  }
}

/** The asker, allowed to call the route on the path it names; undefined only on open routes. */
function authorise(
  face: Face,
  match: Match,
  request: IncomingMessage,
  response: ServerResponse,
): Call['subject'] {
  const { route, path } = match
  if (route.scope === 'open') return undefined
  const basic = route.signIn === 'basic'
  if (basic) response.setHeader('www-authenticate', 'Basic realm="PeerStor", charset="UTF-8"')
  const subject = basic ? authenticateToken(face, request) : authenticate(face, request)
  if (subject === undefined) throw fail('NOT_SIGNED_IN')
  response.removeHeader('www-authenticate')
  const touched = route.checksPaths === true ? subject.folder : path === '' ? undefined : path
  face.peer.tokens.require(subject, route.scope, touched)
  return subject
}

async function sendValue(call: Call, value: unknown): Promise<void> {
  const { response } = call
  if (value === answered) return
  response.setHeader('cache-control', 'no-store')
  if (value === undefined) return void response.writeHead(204).end()
  const reply = value instanceof Reply ? value : new Reply(200, value)
  const json = Buffer.from(JSON.stringify(reply.value))
  const encoding = encodingOf(call, json.length)
  const body = encoding === undefined ? json : await encodedWhole(json, encoding)
  response.setHeader('content-type', 'application/json')
  response.setHeader('content-length', body.length)
  response.writeHead(reply.status)
  if (body.length <= limits.http2Frame) return void response.end(body)
  await sendBytes(response, [body], call.face.clock)
  response.end()
}
