/** `/api/v1/report`: how safe all files are, signed; and whether a report is what a device signed. */
import { z } from 'zod'
import type { SignedReport } from '../peer/peer.ts'
import { jsonBody } from './body.ts'
import type { Call, Route } from './route.ts'

export const reportRoutes: Route[] = [
  {
    method: 'GET',
    path: '/api/v1/report',
    scope: 'read',
    handle: (call) => call.peer.report({ signal: call.signal }),
  },
  { method: 'POST', path: '/api/v1/report/verify', scope: 'read', handle: verify },
]

const hex = z.string().regex(/^[0-9a-f]{64}$/)
const name = z.string().max(1024)

/** What a signature covers may hold more than this program knows: it is kept as it came. */
export const reportBody = z.strictObject({
  report: z.looseObject({
    format: z.int(),
    time: z.iso.datetime(),
    pool: hex,
    device: z.looseObject({ device: hex, peer: name, name }),
  }),
  signature: z.strictObject({ device: hex, key: hex, signature: z.base64().length(88) }),
})

async function verify(call: Call): Promise<unknown> {
  return call.peer.checkReport((await jsonBody(call, reportBody)) as unknown as SignedReport)
}
