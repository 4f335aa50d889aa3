/** `POST /api/v1/export`: the file that `start --restore` takes, as a stream. */
import { keySecret, lockBody } from './lock.ts'
import { jsonBody } from './body.ts'
import { type Call, type Route, answered } from './route.ts'
import { sendBytes } from './send.ts'

export const exportRoutes: Route[] = [
  { method: 'POST', path: '/api/v1/export', scope: 'admin', handle: exportAll },
]

async function exportAll(call: Call): Promise<unknown> {
  const bytes = await call.peer.recovery.export(keySecret(await jsonBody(call, lockBody)))
  const { response } = call
  response.setHeader('content-type', 'application/octet-stream')
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-disposition', 'attachment; filename=peerstor-export')
  response.writeHead(200)
  await sendBytes(response, bytes, call.face.clock)
  response.end()
  return answered
}
