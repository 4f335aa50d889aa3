/** What the device does in the background: pause it, let it go on, or ask for a round now. */
import { useEffect, useState } from 'preact/hooks'
import { api, type WorkerLine } from './api.ts'
import { attempt } from './state.ts'
import { strings } from './strings.ts'

const everyMs = 5_000

export function WorkersTable() {
  const [workers, setWorkers] = useState<WorkerLine[]>([])
  const load = (): void => void attempt(async () => setWorkers((await api.workers()).workers))
  useEffect(() => {
    load()
    const timer = setInterval(load, everyMs)
    return () => clearInterval(timer)
  }, [])
  const steer = (name: string, action: 'pause' | 'resume' | 'run'): void =>
    void attempt(async () => setWorkers((await api.steerWorker(name, action)).workers))
  return (
    <details class="workers">
      <summary>{strings.workers}</summary>
      <table class="list">
        <tbody>
          {workers.map(({ name, state, status, lastError }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{strings.workerStates[state]}</td>
              <td>{lastError ?? status}</td>
              <td>
                {state === 'paused' ? (
                  <button onClick={() => steer(name, 'resume')}>{strings.workerResume}</button>
                ) : (
                  <>
                    <button onClick={() => steer(name, 'run')}>{strings.workerRun}</button>{' '}
                    <button onClick={() => steer(name, 'pause')}>{strings.workerPause}</button>
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}
