/** `/api/v1/sessions`: a link's launch token, or the page's password, is exchanged for a cookie that scripts cannot read. */
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
    handle: list,
  },
  { method: 'DELETE', path: '/api/v1/sessions/current', scope: 'read', checksPaths: true, handle: signOut },
  {
    method: 'DELETE',
    path: '/api/v1/sessions/:id',
    scope: 'admin',
    handle: (call) => call.peer.tokens.closeSession(call.params['id'] ?? ''),
  },
]

function list(call: Call): unknown {
  const sessions = call.peer.tokens.sessions()
  return { sessions: sessions.map((line) => ({ ...line, current: line.id === call.subject?.id })) }
}

export const signInBody = z.union([
  z.strictObject({ token: z.string().min(1).max(512) }),
  z.strictObject({ password: z.string().min(1).max(limits.passwordBytes) }),
])

async function signIn(call: Call): Promise<unknown> {
  const shown = await jsonBody(call, signInBody)
  const cookie = await openSession(call, shown)
  setCookie(call, cookie, limits.sessionLifeMs / 1000)
  return new Reply(201, { signedIn: true })
}

async function openSession(call: Call, shown: z.output<typeof signInBody>): Promise<string> {
  const { face, request } = call
  const { tokens } = call.peer
  const agent = (request.headers['user-agent'] ?? '').slice(0, 256)
  const from = clientAddress(face, request)
  const limit = 'password' in shown ? face.passwords : face.signIns
  if ('password' in shown) face.passwords.check(from)
  try {
    return 'password' in shown
      ? await tokens.openSessionByPassword(shown.password, agent)
      : await tokens.openSession(shown.token, agent)
  } catch (thrown) {
    if (isCode(thrown, 'NOT_SIGNED_IN')) limit.failed(from)
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
