/** One file: where its copies are, its versions. */
import { useEffect, useState } from 'preact/hooks'
import { api, downloadUrl, type FileInfo, type Version } from './api.ts'
import { CopiesBadge } from './files-view.tsx'
import { agoText, baseName, dateText, sizeText } from './format.ts'
import { Said } from './description.tsx'
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
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') selected.value = undefined
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
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
      {info === undefined ? <p>{strings.working}</p> : <Facts info={info} onChange={setInfo} />}
    </aside>
  )
}

function Facts({ info, onChange }: { info: FileInfo; onChange: (info: FileInfo) => void }) {
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
      <Said info={info} onChange={onChange} />
      <h3>
        {strings.holders} <CopiesBadge have={info.copies.have} want={info.copies.want} />
      </h3>
      <p>{info.copies.statement}</p>
      {info.copies.holders.length === 0 && <p>{strings.noHolders}</p>}
      <ul class="holders">
        {info.copies.holders.map((holder) => (
          <li key={holder.peer}>
            <span class={`dot ${holder.state}`} aria-hidden="true" /> {holder.name}{' '}
            <small>
              {holder.state === 'online' ? strings.online : strings.offline}
              {holder.verified !== undefined && ` · ${strings.verified(agoText(holder.verified))}`} ·{' '}
              {strings.without(holder.left)}
            </small>
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
                {strings.versionStates[version.state] !== '' && (
                  <strong class={version.state === 'conflict' ? 'conflict' : ''}>
                    {strings.versionStates[version.state]} ·{' '}
                  </strong>
                )}
                {sizeText(version.size)} · {version.author} · {agoText(version.written)}
              </small>
            </span>
            <VersionActions path={info.path} version={version} />
          </li>
        ))}
      </ul>
    </>
  )
}

/** The version that shows can be neither restored nor given up; a removed one holds nothing to restore. */
function VersionActions({ path, version }: { path: string; version: Version }) {
  if (version.state === 'current') return <small>✓</small>
  const act = (change: () => Promise<unknown>): void =>
    void attempt(async () => {
      await change()
      await refresh()
    })
  const discard = (): void => {
    if (confirm(strings.removeVersionConfirm)) act(() => api.discardVersion(path, version.version))
  }
  return (
    <span class="pair">
      {version.kind !== 'removed' && (
        <button onClick={() => act(() => api.restore(path, version.version))}>{strings.restore}</button>
      )}
      <button onClick={discard} aria-label={strings.removeVersion} title={strings.removeVersion}>
        ✕
      </button>
    </span>
  )
}
