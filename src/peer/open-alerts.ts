/** The alerts of a running peer: what it sees, where its settings send them. */
import type { DeviceId, PeerId } from '../base/words.ts'
import type { Log } from '../base/log.ts'
import { asPeerStorError } from '../base/errors.ts'
import type { OwnState } from '../store/store.ts'
import { postAlert, runAlertCommand } from './alert-outlets.ts'
import { Alerts, type AlertsParts, type Deliver, type Outlet } from './alerts.ts'
import type { Core } from './create-core.ts'
import { nameOf } from './devices.ts'
import type { Problem } from './peer.ts'
import type { RunningParts } from './running-peer.ts'

export function openAlerts(
  parts: RunningParts,
  more: { own: OwnState } & Pick<AlertsParts, 'problems' | 'publish' | 'wake'>,
): Alerts {
  const { network, self } = parts
  const device = (): ReturnType<AlertsParts['device']> => ({ peer: network.peer, name: self.name() })
  return new Alerts({ ...parts, ...more, device, outlets: () => outletsOf(parts) })
}

function outletsOf({ settings, clock }: RunningParts): Map<Outlet, Deliver> {
  const url = settings.get('alert.webhook')
  const line = settings.get('alert.command')
  const outlets = new Map<Outlet, Deliver>()
  if (url !== undefined) outlets.set('webhook', (alert, signal) => postAlert(url, alert, signal, clock))
  if (line !== undefined)
    outlets.set('command', (alert, signal) => runAlertCommand(line, alert, signal, clock))
  return outlets
}

/** What the rooms below noticed and is over by now. What stays is a problem of `doctor`, and told of as such. */
export function noticeAlarm(alerts: Alerts, log: Log, core: Core, kind: string, by: DeviceId): void {
  const problem = problemOf(core, kind, by)
  if (problem === undefined) return
  alerts
    .notice(problem)
    .catch((thrown: unknown) =>
      log.warn('an alert was not noted', { kind, reason: asPeerStorError(thrown).message }),
    )
}

function problemOf({ catalogue }: Core, kind: string, by: DeviceId): Problem | undefined {
  const device = catalogue.devices().find((line) => line.device === by)
  const name = device === undefined ? by : nameOf(device)
  const subject = device?.peer ?? by
  if (kind === 'hash')
    return {
      kind: 'wrong-hash',
      subject,
      what: `a file that ${name} wrote does not have the hash that ${name} gave it`,
      severity: 'error',
      next: 'peerstor device list',
    }
  if (kind === 'cloned')
    return {
      kind,
      subject,
      what: `the disk of ${name} was restored or copied: two devices may run under its name`,
      severity: 'warning',
      next: 'peerstor device list',
    }
  return undefined
}

/** Damage on this disk, as far as it was mended at once; the rest stays a problem. */
export function damageHealed(found: number, healed: number): Problem {
  return {
    kind: 'damage-healed',
    what: `${found} damaged chunks or records were found on this disk, ${healed} of them are good again`,
    severity: 'warning',
    next: 'peerstor scrub',
  }
}

/** What a device sent does not fit what was asked for: a failing disk, or a hostile program. */
export function wrongData(peer: PeerId, name: string): Problem {
  return {
    kind: 'wrong-data',
    subject: peer,
    what: `${name} sent data that is not what it should be; it was refused: its disk may be failing`,
    severity: 'error',
    next: `peerstor simulate lose ${peer}`,
  }
}
