/** Deleted files, each with restore. */
import { api, type Version } from './api.ts'
import { agoText, sizeText } from './format.ts'
import { attempt, loading, notify, refresh, trashed } from './state.ts'
import { strings } from './strings.ts'

export function TrashView() {
  return (
    <section aria-label={strings.trash}>
      <div class="bar">
        <h2>{strings.trash}</h2>
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

function Line({ version }: { version: Version }) {
  const restore = (): void =>
    void attempt(async () => {
      await api.restore(version.path)
      notify(strings.restored(version.path))
      await refresh()
    })
  return (
    <li>
      <span>
        {version.path}{' '}
        <small>
          {sizeText(version.size)} · {agoText(version.written)} · {version.author}
        </small>
      </span>
      <button onClick={restore}>{strings.restore}</button>
    </li>
  )
}
