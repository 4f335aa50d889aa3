/** `/api/v1`: how this peer and its files are. `/health` is open: it says only whether the peer works. */
import { type Call, type Route, Reply } from './route.ts'

export const statusRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/status', scope: 'read', handle: (call) => call.peer.status() },
  { method: 'GET', path: '/api/v1/safety', scope: 'read', handle: safety },
  {
    method: 'GET',
    path: '/api/v1/workers',
    scope: 'read',
    handle: (call) => ({ workers: call.peer.workers() }),
  },
  ...(['pause', 'resume', 'run'] as const).map((action): Route => ({
    method: 'POST',
    path: `/api/v1/workers/:name/${action}`,
    scope: 'admin',
    handle: async ({ peer, params }) => ({
      workers: await peer.steerWorker(params['name'] ?? '', action),
    }),
  })),
  { method: 'GET', path: '/health', scope: 'open', handle: health },
  { method: 'GET', path: '/health/ready', scope: 'open', handle: health },
]

async function safety(call: Call): Promise<unknown> {
  const status = await call.peer.status()
  return { ...status.safety, warnings: status.warnings }
}

function health(call: Call): Reply {
  const { healthy, uptimeSeconds } = call.peer.health()
  return new Reply(healthy ? 200 : 503, {
    status: healthy ? 'healthy' : 'unhealthy',
    uptime_seconds: Math.floor(uptimeSeconds),
  })
}
