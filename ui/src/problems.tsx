/** What is wrong, how serious it is and the command that helps; below, what began and ended lately. */
import { useEffect, useState } from 'preact/hooks'
import { api, type Alert, type Problem } from './api.ts'
import { agoText } from './format.ts'
import { attempt, status } from './state.ts'
import { strings } from './strings.ts'

export function Problems() {
  const [problems, setProblems] = useState<Problem[] | undefined>(undefined)
  const [alerts, setAlerts] = useState<Alert[]>([])
  // Whatever changes the state of this device may begin or end a problem.
  useEffect(() => {
    void attempt(async () => {
      const [found, told] = await Promise.all([api.doctor(), api.alerts()])
      setProblems(found.problems)
      setAlerts(told.alerts)
    })
  }, [status.value])
  return (
    <section class="problems" aria-label={strings.problems}>
      <h3>{strings.problems}</h3>
      {problems?.length === 0 && <p>{strings.noProblems}</p>}
      <ul>
        {(problems ?? []).map(({ kind, subject, what, severity, next }) => (
          <li key={`${kind} ${subject ?? ''}`}>
            <strong class={severity}>{strings.severities[severity]}</strong> {what} <code>{next}</code>
          </li>
        ))}
      </ul>
      {alerts.length > 0 && (
        <details>
          <summary>{strings.alerts}</summary>
          <ul>
            {alerts.map(({ id, time, state, what }) => (
              <li key={id}>
                <small>
                  <time dateTime={time}>{agoText(time)}</time> · {strings.alertStates[state]}
                </small>{' '}
                {what}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  )
}
