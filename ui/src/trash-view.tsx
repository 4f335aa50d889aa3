/** Deleted files of all folders: bring one back, give one or all of them up. */
import { api, type Version } from './api.ts'
import { agoText, sizeText } from './format.ts'
import { attempt, loading, notify, refresh, trashed } from './state.ts'
import { strings } from './strings.ts'

export function TrashView() {
  return (
    <section aria-label={strings.trash}>
      <div class="bar">
        <h2>{strings.trash}</h2>
        {trashed.value.length > 0 && <button onClick={emptyAll}>{strings.emptyTrashNow}</button>}
      </div>
      {trashed.value.length === 0 && !loading.value && <p class="empty">{strings.emptyTrash}</p>}
      <ul class="versions">
        {trashed.value.map((version) => (
          <Line key={version.version} version={version} />
        ))}
      </ul>
    </section>
  )
}

function emptyAll(): void {
  if (!confirm(strings.emptyTrashConfirm)) return
  const folders = new Set(trashed.value.map(({ path }) => path.slice(0, path.indexOf('/'))))
  void attempt(async () => {
    let count = 0
    for (const folder of folders) count += (await api.emptyTrash(folder)).removed
    notify(strings.trashEmptied(count))
    await refresh()
  })
}

function Line({ version }: { version: Version }) {
  const restore = (): void =>
    void attempt(async () => {
      await api.restore(version.path)
      notify(strings.restored(version.path))
      await refresh()
    })
  const discard = (): void => {
    if (!confirm(strings.deleteForGoodConfirm(version.path))) return
    void attempt(async () => {
      await api.emptyTrash(version.path)
      await refresh()
    })
  }
  return (
    <li>
      <span>
        {version.path}{' '}
        <small>
          {sizeText(version.size)} · {agoText(version.written)} · {version.author}
        </small>
      </span>
      <span class="pair">
        <button onClick={restore}>{strings.restore}</button>
        <button
          onClick={discard}
          aria-label={`${strings.deleteForGood} ${version.path}`}
          title={strings.deleteForGood}
        >
          ✕
        </button>
      </span>
    </li>
  )
}
