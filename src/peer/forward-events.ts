/** What happens in the pool, as events that people see, and as alerts. */
import { asPeerStorError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Alerts } from './alerts.ts'
import type { Core } from './create-core.ts'
import { nameOf } from './devices.ts'
import { damageHealed, wrongData } from './open-alerts.ts'
import type { PeerEvent } from './peer.ts'
import { deletionProblem } from './warnings.ts'

export function forwardEvents(
  { catalogue, pool, deletions }: Core,
  publish: (event: PeerEvent) => void,
  alerts: Alerts,
  log: Log,
): void {
  catalogue.on((event) => {
    if (event.type === 'versions')
      for (const id of event.folders) publish({ type: 'files', data: { folder: id } })
    else if (event.type !== 'alarm') publish({ type: 'pool', data: { id: catalogue.pool } })
  })
  deletions.on((found) => {
    alerts.notice(deletionProblem({ catalogue }, found)).catch(notNoted)
  })
  pool.on((event) => {
    if (event.type === 'copies') publish({ type: 'copies', data: {} })
    if (event.type === 'missing' || event.type === 'wrong') {
      const device = catalogue.deviceOf(event.peer)
      publish({ type: 'alarm', data: { kind: event.type, device: device?.device ?? event.peer } })
      const name = device === undefined ? event.peer : nameOf(device)
      if (event.type === 'wrong') alerts.notice(wrongData(event.peer, name)).catch(notNoted)
    }
    if (event.type !== 'damage') return
    publish({ type: 'alarm', data: { kind: 'damage', device: catalogue.device } })
    if (event.healed > 0) alerts.notice(damageHealed(event.found, event.healed)).catch(notNoted)
  })

  function notNoted(thrown: unknown): void {
    log.warn('an alert was not noted', { reason: asPeerStorError(thrown).message })
  }
}
