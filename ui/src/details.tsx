/** One file: where its copies are, its versions. */
import { useEffect, useState } from 'preact/hooks'
import { api, downloadUrl, type FileInfo } from './api.ts'
import { CopiesBadge } from './files-view.tsx'
import { agoText, baseName, dateText, sizeText } from './format.ts'
import { attempt, entries, refresh, selected } from './state.ts'
import { strings } from './strings.ts'

export function Details({ path }: { path: string }) {
  const [info, setInfo] = useState<FileInfo | undefined>(undefined)
  useEffect(() => {
    let current = true
    void attempt(async () => {
      const found = await api.info(path)
      if (current) setInfo(found)
    })
    return () => {
      current = false
    }
  }, [path, entries.value])
  const close = (): void => {
    selected.value = undefined
  }
  return (
    <aside class="details" aria-label={strings.details}>
      <header>
        <h2>{baseName(path)}</h2>
        <button onClick={close} aria-label={strings.close}>
          ✕
        </button>
      </header>
      {info === undefined ? <p>{strings.working}</p> : <Facts info={info} />}
    </aside>
  )
}

function Facts({ info }: { info: FileInfo }) {
  return (
    <>
      <p>
        <a class="button primary" href={downloadUrl(info.path)} download={baseName(info.path)}>
          {strings.download}
        </a>
      </p>
      <dl>
        <dt>{strings.size}</dt>
        <dd>{sizeText(info.size)}</dd>
        <dt>{strings.type}</dt>
        <dd>{info.type}</dd>
        <dt>{strings.modified}</dt>
        <dd>{dateText(info.modified)}</dd>
        <dt>{strings.author}</dt>
        <dd>{info.author}</dd>
        <dt>{strings.contentHash}</dt>
        <dd class="hash">{info.hash}</dd>
      </dl>
      <h3>
        {strings.holders} <CopiesBadge have={info.copies.have} want={info.copies.want} />
      </h3>
      {info.copies.holders.length === 0 && <p>{strings.noHolders}</p>}
      <ul class="holders">
        {info.copies.holders.map((holder) => (
          <li key={holder.peer}>
            <span class={`dot ${holder.state}`} aria-hidden="true" /> {holder.name}{' '}
            <small>{holder.state === 'online' ? strings.online : strings.offline}</small>
          </li>
        ))}
      </ul>
      <h3>{strings.versions}</h3>
      <ul class="versions">
        {info.versions.map((version) => (
          <li key={version.version}>
            <span>
              {dateText(version.written)}{' '}
              <small>
                {sizeText(version.size)} · {version.author} · {agoText(version.written)}
              </small>
            </span>
            {version.state === 'current' ? (
              <small>✓</small>
            ) : (
              <RestoreButton path={info.path} version={version.version} />
            )}
          </li>
        ))}
      </ul>
    </>
  )
}

function RestoreButton({ path, version }: { path: string; version: string }) {
  const restore = (): void =>
    void attempt(async () => {
      await api.restore(path, version)
      await refresh()
    })
  return <button onClick={restore}>{strings.restore}</button>
}
