/** The folder that is open, now or as it was at a time: path, toolbar, table of files with their copies. */
import { useRef } from 'preact/hooks'
import { api, downloadUrl, type Entry, zipUrl } from './api.ts'
import { baseName, dateText, sizeText } from './format.ts'
import {
  attempt,
  entries,
  go,
  loading,
  loadMore,
  nextPage,
  notify,
  place,
  refresh,
  search,
  selected,
} from './state.ts'
import { strings } from './strings.ts'
import { Then, TimePicker, isThen, restoreThen } from './time-machine.tsx'
import { addUploads } from './uploads.ts'

export function FilesView({ path }: { path: string }) {
  return (
    <section aria-label={strings.files}>
      <div class="bar">
        <Breadcrumb path={path} />
        {isThen() ? <Then path={path} /> : <Toolbar path={path} />}
      </div>
      {entries.value.length === 0 && !loading.value ? (
        <p class="empty">{isThen() ? strings.nothingThen : strings.emptyFolder}</p>
      ) : (
        <EntryTable />
      )}
    </section>
  )
}

/** The entries that are shown, with what can be done to each; `whole`: with the folders they are in. */
export function EntryTable({ whole = false }: { whole?: boolean }) {
  return (
    <>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">{strings.name}</th>
            <th scope="col" class="number">
              {strings.size}
            </th>
            <th scope="col" class="wide">
              {strings.modified}
            </th>
            <th scope="col">{strings.copies}</th>
            <th scope="col">
              <span class="hidden">{strings.actions}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {entries.value.map((entry) => (
            <Row key={entry.path} entry={entry} whole={whole} />
          ))}
        </tbody>
      </table>
      {nextPage.value !== undefined && <button onClick={() => void loadMore()}>{strings.loadMore}</button>}
    </>
  )
}

function Breadcrumb({ path }: { path: string }) {
  const parts = path.split('/')
  return (
    <nav class="path" aria-label="Path">
      {parts.map((part, index) => (
        <span key={index}>
          {index > 0 && <span aria-hidden="true"> / </span>}
          <button
            class="link"
            aria-current={index === parts.length - 1 ? 'page' : undefined}
            onClick={() => openFolder(parts.slice(0, index + 1).join('/'))}
          >
            {part}
          </button>
        </span>
      ))}
    </nav>
  )
}

/** In the time that is shown. */
function openFolder(path: string): void {
  const here = place.value
  go({ view: 'files', path, ...(here.view === 'files' && here.at !== undefined && { at: here.at }) })
}

function Toolbar({ path }: { path: string }) {
  const files = useRef<HTMLInputElement>(null)
  const folder = useRef<HTMLInputElement>(null)
  const take = (input: HTMLInputElement): void => {
    addUploads(
      [...(input.files ?? [])].map((file) => ({
        path: `${path}/${file.webkitRelativePath || file.name}`,
        file,
      })),
    )
    input.value = ''
  }
  const makeFolder = (): void => {
    const name = prompt(strings.newFolderName)
    if (name)
      void attempt(async () => {
        await api.makeFolder(`${path}/${name}`)
        await refresh()
      })
  }
  return (
    <div class="tools">
      <button class="primary" onClick={() => files.current?.click()}>
        {strings.upload}
      </button>
      <button onClick={() => folder.current?.click()}>{strings.uploadFolder}</button>
      <button onClick={makeFolder}>{strings.newFolder}</button>
      <a class="button" href={zipUrl(path)} download={`${baseName(path)}.zip`}>
        {strings.downloadZip}
      </a>
      <TimePicker path={path} />
      <input ref={files} type="file" multiple hidden onChange={(event) => take(event.currentTarget)} />
      <input
        ref={(element) => {
          folder.current = element
          element?.setAttribute('webkitdirectory', '')
        }}
        type="file"
        hidden
        onChange={(event) => take(event.currentTarget)}
      />
    </div>
  )
}

function Row({ entry, whole }: { entry: Entry; whole: boolean }) {
  const name = baseName(entry.path)
  const open = (): void => {
    if (entry.kind === 'folder') openFolder(entry.path)
    else selected.value = entry.path
  }
  return (
    <tr class={selected.value === entry.path ? 'selected' : ''}>
      <td>
        <div class="name">
          <span class={`icon ${entry.kind}`} aria-hidden="true" />
          <button class="link" onClick={open}>
            {name}
          </button>
          {entry.conflict === true && (
            <span class="conflict" title={strings.conflict} role="img" aria-label={strings.conflict}>
              ⚠
            </span>
          )}
          {entry.tags?.map((tag) => (
            <button key={tag} class="chip" onClick={() => search({ words: '', tag })}>
              {tag}
            </button>
          ))}
        </div>
        {whole && <small class="where">{entry.path.slice(0, -name.length - 1)}</small>}
      </td>
      <td class="number">
        {entry.kind === 'folder' && entry.files === undefined ? '' : sizeText(entry.size)}
      </td>
      <td class="wide">{entry.modified === null ? '' : dateText(entry.modified)}</td>
      <td>{entry.copies !== undefined && <CopiesBadge {...entry.copies} />}</td>
      <td class="actions">
        <Actions entry={entry} name={name} />
      </td>
    </tr>
  )
}

export function CopiesBadge({ have, want }: { have: number; want: number }) {
  const state = have === 0 ? 'lost' : have < want || want < 2 ? 'degraded' : 'safe'
  return (
    <span
      class={`copies ${state}`}
      title={strings.copiesLabel(have, want)}
      aria-label={strings.copiesLabel(have, want)}
    >
      {have}/{want}
    </span>
  )
}

function Actions({ entry, name }: { entry: Entry; name: string }) {
  return isThen() ? <ActionsThen entry={entry} name={name} /> : <ActionsNow entry={entry} name={name} />
}

/** What can be done to something of the past: read it, and bring it back. */
function ActionsThen({ entry, name }: { entry: Entry; name: string }) {
  return (
    <>
      {entry.kind === 'file' && (
        <a
          class="button"
          href={downloadUrl(entry.path, entry.version)}
          download={name}
          aria-label={`${strings.download} ${name}`}
          title={strings.download}
        >
          ↓
        </a>
      )}
      <button
        onClick={() => restoreThen(entry.path)}
        aria-label={strings.restoreThen(name)}
        title={strings.restoreThen(name)}
      >
        ↶
      </button>
    </>
  )
}

function ActionsNow({ entry, name }: { entry: Entry; name: string }) {
  const rename = (): void => {
    const to = prompt(strings.renameTo, entry.path)
    if (to && to !== entry.path)
      void attempt(async () => {
        await api.move(entry.path, to)
        await refresh()
      })
  }
  return (
    <>
      {entry.kind !== 'link' && (
        <a
          class="button"
          href={entry.kind === 'folder' ? zipUrl(entry.path) : downloadUrl(entry.path)}
          download={entry.kind === 'folder' ? `${name}.zip` : name}
          aria-label={`${strings.download} ${name}`}
          title={entry.kind === 'folder' ? strings.downloadZip : strings.download}
        >
          ↓
        </a>
      )}
      <button onClick={rename} aria-label={`${strings.rename} ${name}`} title={strings.rename}>
        ✎
      </button>
      <button
        onClick={() => void remove(entry)}
        aria-label={`${strings.remove} ${name}`}
        title={strings.remove}
      >
        ✕
      </button>
    </>
  )
}

/** Deletes to the trash at once; the notice undoes it. */
async function remove(entry: Entry): Promise<void> {
  const name = baseName(entry.path)
  await attempt(async () => {
    await api.remove(entry.path)
    if (selected.value === entry.path) selected.value = undefined
    await refresh()
    const undo = (): void =>
      void attempt(async () => {
        await api.restore(entry.path)
        notify(strings.restored(name))
        await refresh()
      })
    notify(strings.removed(name), 'info', { label: strings.undo, run: undo })
  })
}

/** The folder that a drop on the page goes to. */
export function dropTarget(): string | undefined {
  return place.value.view === 'files' ? place.value.path : undefined
}
