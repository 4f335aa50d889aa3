/** `OPTIONS`: what may be asked of an address, and for who looks for it that WebDAV is spoken there. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseRequestPath } from './request-path.ts'
import type { Route } from './route.ts'
import { methodsAt } from './router.ts'

/** Addresses that no route knows are not refused: S3 has its own, and browsers ask before they sign. */
export function answerOptions(
  routes: readonly Route[],
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const address = request.url === '*' ? '/' : (request.url ?? '')
  const methods = methodsAt(routes, parseRequestPath(address).segments)
  if (methods.length > 0) response.setHeader('allow', methods.join(', '))
  if (!methods.includes('PROPFIND')) return void response.writeHead(204).end()
  response.setHeader('dav', '1, 2')
  response.setHeader('ms-author-via', 'DAV')
  response.writeHead(200, { 'content-length': 0 }).end()
}
