/** Lets a device move all that it keeps to others, says when it is safe to unplug, and lets it stay after all. */
import { useEffect, useState } from 'preact/hooks'
import { api, type Retiring } from './api.ts'
import { attempt, refresh, status } from './state.ts'
import { strings } from './strings.ts'

export function RetireSwitch({ peer, name, retiring }: { peer: string; name: string; retiring: boolean }) {
  const [line, setLine] = useState<Retiring | undefined>(undefined)
  useEffect(() => {
    if (retiring) void attempt(async () => setLine(await api.retire('GET', peer)))
    else setLine(undefined)
  }, [retiring, status.value])
  const turn = (on: boolean): void => {
    if (on && !confirm(strings.retireConfirm(name))) return
    void attempt(async () => {
      const found = await api.retire(on ? 'POST' : 'DELETE', peer)
      setLine(on ? found : undefined)
      await refresh()
    })
  }
  if (!retiring && line === undefined) return <button onClick={() => turn(true)}>{strings.retire}</button>
  return (
    <>
      <p role="status">{line?.statement}</p>
      <button onClick={() => turn(false)}>{strings.retireCancel}</button>
    </>
  )
}
