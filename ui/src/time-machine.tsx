/** A folder as it was at a time: choosing the time, and bringing back what was. */
import { api } from './api.ts'
import { baseName } from './format.ts'
import { attempt, go, notify, place, refresh } from './state.ts'
import { strings } from './strings.ts'

export function isThen(): boolean {
  return place.value.view === 'files' && place.value.at !== undefined
}

/** A local time for the browser's own picker: `2026-05-01T10:00`. */
function localText(time: Date): string {
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

export function TimePicker({ path, at }: { path: string; at?: string }) {
  const choose = (text: string): void => {
    const time = new Date(text)
    if (!Number.isNaN(time.getTime())) go({ view: 'files', path, at: time.toISOString() })
  }
  return (
    <label class="pair">
      <small>{strings.asOf}</small>
      <input
        type="datetime-local"
        step="1"
        value={at === undefined ? '' : localText(new Date(at))}
        max={localText(new Date())}
        onChange={(event) => choose(event.currentTarget.value)}
      />
    </label>
  )
}

/** The toolbar of a time that is over. */
export function Then({ path }: { path: string }) {
  const here = place.value
  if (here.view !== 'files' || here.at === undefined) return null
  return (
    <div class="tools">
      <TimePicker path={path} at={here.at} />
      <button class="primary" onClick={() => restoreThen(path)}>
        {strings.restoreFolder}
      </button>
      <button onClick={() => go({ view: 'files', path })}>{strings.now}</button>
    </div>
  )
}

/** Says what it would do, asks, does it, and offers to take it back. */
export function restoreThen(path: string): void {
  const here = place.value
  if (here.view !== 'files' || here.at === undefined) return
  const { at } = here
  const name = baseName(path)
  void attempt(async () => {
    const { returned, changed, removed } = await api.restoreAt(path, at, true)
    if (returned + changed + removed === 0) return notify(strings.nothingToRestore(name))
    if (!confirm(strings.restoreConfirm(name, returned, changed, removed))) return
    const { undo } = await api.restoreAt(path, at)
    const takeBack = (): void =>
      void attempt(async () => {
        if (undo !== undefined) await api.restoreAt(path, undo)
        await refresh()
      })
    notify(strings.restored(name), 'info', { label: strings.undo, run: takeBack })
    go({ view: 'files', path: here.path })
  })
}
