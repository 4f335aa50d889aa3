import { useEffect, useState } from 'preact/hooks'
import { Details } from './details.tsx'
import { DevicesView } from './devices-view.tsx'
import { dropTarget, FilesView } from './files-view.tsx'
import { followEvents } from './live.ts'
import { SearchBox, SearchView } from './search-view.tsx'
import { SignIn } from './sign-in.tsx'
import {
  attempt,
  connected,
  go,
  notices,
  place,
  placeOfHash,
  refresh,
  selected,
  signedIn,
  status,
} from './state.ts'
import { strings } from './strings.ts'
import { TrashView } from './trash-view.tsx'
import { UploadTray } from './upload-tray.tsx'
import { addUploads, filesOfDrop } from './uploads.ts'

export function App() {
  if (signedIn.value === undefined) return null
  return (
    <>
      {signedIn.value ? <Main /> : <SignIn onSignedIn={begin} />}
      <div class="notices" role="status">
        {notices.value.map((notice) => (
          <div key={notice.id} class={`notice ${notice.kind}`}>
            {notice.text}
            {notice.action !== undefined && (
              <button onClick={notice.action.run}>{notice.action.label}</button>
            )}
          </div>
        ))}
      </div>
    </>
  )
}

/** Reads everything once, then follows the peer's events. */
export function begin(): void {
  place.value = placeOfHash(location.hash)
  addEventListener('popstate', () => {
    place.value = placeOfHash(location.hash)
    void refresh()
  })
  void refresh()
  followEvents()
}

function Main() {
  const [dropping, setDropping] = useState(false)
  useEffect(() => followDrops(setDropping), [])
  const here = place.value
  return (
    <div class={dropping ? 'page dropping' : 'page'}>
      <Head />
      {!connected.value && (
        <p class="banner" role="alert">
          {strings.connectionLost}
        </p>
      )}
      <main>
        {here.view === 'files' && <FilesView path={here.path} />}
        {here.view === 'search' && <SearchView query={here.query} />}
        {here.view === 'devices' && <DevicesView />}
        {here.view === 'trash' && <TrashView />}
      </main>
      {(here.view === 'files' || here.view === 'search') && selected.value !== undefined && (
        <Details path={selected.value} />
      )}
      <UploadTray />
      {dropping && <p class="drop-hint">{strings.dropHere}</p>}
    </div>
  )
}

function Head() {
  const here = place.value.view
  const tab = (view: typeof here, label: string, open: () => void) => (
    <button class="tab" aria-current={here === view ? 'page' : undefined} onClick={open}>
      {label}
    </button>
  )
  return (
    <header class="head">
      <h1>
        <img src="./icon.svg" alt="" width="28" height="28" /> {strings.app}
      </h1>
      <nav>
        {tab('files', strings.files, () => go({ view: 'files', path: 'files' }))}
        {tab('devices', strings.devices, () => go({ view: 'devices' }))}
        {tab('trash', strings.trash, () => go({ view: 'trash' }))}
      </nav>
      <SearchBox />
      <Safety />
    </header>
  )
}

/** One plain statement of whether the files are safe. */
function Safety() {
  const now = status.value
  if (now === undefined) return null
  const { safety, files } = now
  const [text, state] =
    files.count === 0
      ? [strings.noFiles, 'none']
      : safety.needs === 'device'
        ? [strings.oneDevice, 'degraded']
        : safety.lost > 0
          ? [strings.lost(safety.lost), 'lost']
          : safety.needs === 'keys'
            ? [strings.keysOnce, 'degraded']
            : safety.degraded > 0
              ? [strings.degraded(safety.degraded), 'degraded']
              : [strings.safe, 'safe']
  return (
    <p class={`safety ${state}`} title={safety.statement}>
      {text}
    </p>
  )
}

function followDrops(setDropping: (on: boolean) => void): () => void {
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    setDropping(dropTarget() !== undefined)
  }
  const leave = (event: DragEvent): void => {
    if (event.relatedTarget === null) setDropping(false)
  }
  const drop = (event: DragEvent): void => {
    event.preventDefault()
    setDropping(false)
    const target = dropTarget()
    if (target === undefined || event.dataTransfer === null) return
    const data = event.dataTransfer
    void attempt(async () => addUploads(await filesOfDrop(data, target)))
  }
  addEventListener('dragover', over)
  addEventListener('dragleave', leave)
  addEventListener('drop', drop)
  return () => {
    removeEventListener('dragover', over)
    removeEventListener('dragleave', leave)
    removeEventListener('drop', drop)
  }
}
