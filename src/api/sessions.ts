/** `/api/v1/sessions`: the launch token of a link is exchanged for a cookie that scripts cannot read. */
import { z } from 'zod'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { cookieName } from './auth.ts'
import { jsonBody } from './body.ts'
import { type Call, type Route, Reply } from './route.ts'
import { clientAddress, isHttps } from './web-rules.ts'

export const sessionsRoutes: Route[] = [
  { method: 'POST', path: '/api/v1/sessions', scope: 'open', handle: signIn },
  {
    method: 'GET',
    path: '/api/v1/sessions',
    scope: 'admin',
    handle: (call) => ({ sessions: call.peer.tokens.sessions() }),
  },
  { method: 'DELETE', path: '/api/v1/sessions/current', scope: 'read', checksPaths: true, handle: signOut },
  {
    method: 'DELETE',
    path: '/api/v1/sessions/:id',
    scope: 'admin',
    handle: (call) => call.peer.tokens.closeSession(call.params['id'] ?? ''),
  },
]

const signInBody = z.strictObject({ token: z.string().min(1).max(512) })

async function signIn(call: Call): Promise<unknown> {
  const { token } = await jsonBody(call, signInBody)
  const agent = (call.request.headers['user-agent'] ?? '').slice(0, 256)
  const cookie = await openSession(call, token, agent)
  setCookie(call, cookie, limits.sessionLifeMs / 1000)
  return new Reply(201, { signedIn: true })
}

async function openSession(call: Call, token: string, agent: string): Promise<string> {
  try {
    return await call.peer.tokens.openSession(token, agent)
  } catch (thrown) {
    if (isCode(thrown, 'NOT_SIGNED_IN')) call.face.signIns.failed(clientAddress(call.face, call.request))
    throw thrown
  }
}

async function signOut(call: Call): Promise<void> {
  if (call.subject?.kind === 'session') await call.peer.tokens.closeSession(call.subject.id)
  setCookie(call, '', 0)
}

function setCookie(call: Call, value: string, maxAge: number): void {
  const name = cookieName(call.face, call.request)
  const secure = isHttps(call.face, call.request) ? '; Secure' : ''
  call.response.setHeader(
    'set-cookie',
    `${name}=${value}; Max-Age=${maxAge}; Path=/; HttpOnly; SameSite=Strict${secure}`,
  )
}
