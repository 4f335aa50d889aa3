/** The uploads of this page, with rate, time left, cancel and retry. */
import { baseName, durationText, sizeText } from './format.ts'
import { strings } from './strings.ts'
import { clearFinished, retryUpload, type Upload, uploads } from './uploads.ts'

export function UploadTray() {
  if (uploads.value.length === 0) return null
  return (
    <section class="tray" aria-label={strings.uploads}>
      <header>
        <h2>{strings.uploads}</h2>
        <button onClick={clearFinished}>{strings.clear}</button>
      </header>
      <ul>
        {uploads.value.slice(-50).map((upload) => (
          <Line key={upload.id} upload={upload} />
        ))}
      </ul>
    </section>
  )
}

function Line({ upload }: { upload: Upload }) {
  const { file, sent, rate, state } = upload
  const left = rate > 0 ? strings.eta(durationText((file.size - sent) / rate)) : ''
  return (
    <li class={state}>
      <span class="name">{baseName(upload.path)}</span>
      {state === 'running' && <progress max={file.size || 1} value={sent} aria-label={upload.path} />}
      <small>
        {state === 'running'
          ? `${sizeText(sent)} / ${sizeText(file.size)} · ${sizeText(rate)}/s · ${left}`
          : upload.text}
      </small>
      {(state === 'running' || state === 'waiting') && (
        <button onClick={() => upload.cancel()}>{strings.cancel}</button>
      )}
      {(state === 'failed' || state === 'cancelled') && (
        <button onClick={() => retryUpload(upload)}>{strings.retry}</button>
      )}
    </li>
  )
}
