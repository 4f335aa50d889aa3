/** `/metrics`, as Prometheus text, JSON and for people; gone when the setting `metrics` is off. */
import { fail } from '../base/errors.ts'
import type { Peer } from '../peer/peer.ts'
import { type Call, type Route, answered } from './route.ts'

export const metricsRoutes: Route[] = [
  {
    method: 'GET',
    path: '/metrics',
    scope: 'metrics',
    handle: (call) =>
      sendText(call, 'text/plain; version=0.0.4; charset=utf-8', metricsOf(call).prometheus()),
  },
  { method: 'GET', path: '/metrics/json', scope: 'metrics', handle: (call) => metricsOf(call).json() },
  {
    method: 'GET',
    path: '/metrics/human',
    scope: 'metrics',
    handle: (call) => sendText(call, 'text/plain; charset=utf-8', metricsOf(call).human()),
  },
]

function metricsOf(call: Call): ReturnType<Peer['metrics']> {
  if (!call.peer.settings.get('metrics')) throw fail('NOT_FOUND', { what: 'address', name: '/metrics' })
  return call.peer.metrics()
}

function sendText(call: Call, type: string, text: string): typeof answered {
  call.response.setHeader('content-type', type)
  call.response.setHeader('cache-control', 'no-store')
  call.response.setHeader('content-length', Buffer.byteLength(text))
  call.response.writeHead(200).end(text)
  return answered
}
