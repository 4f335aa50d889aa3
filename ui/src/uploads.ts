/** Uploads of this page: a few at a time, with progress, cancel and retry. */
import { signal } from '@preact/signals'
import { downloadUrl } from './api.ts'
import { refresh } from './state.ts'
import { strings } from './strings.ts'

export interface Upload {
  id: number
  path: string
  file: File
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'
  sent: number
  /** Bytes per second since it began. */
  rate: number
  text: string
  cancel: () => void
}

const parallel = 3
export const uploads = signal<Upload[]>([])
let uploadId = 0

function change(id: number, fields: Partial<Upload>): void {
  uploads.value = uploads.value.map((upload) => (upload.id === id ? { ...upload, ...fields } : upload))
}

export function addUploads(files: readonly { path: string; file: File }[]): void {
  const added = files.map(({ path, file }): Upload => {
    const id = ++uploadId
    const cancel = (): void => change(id, { state: 'cancelled', text: strings.uploadCancelled })
    return { id, path, file, state: 'waiting', sent: 0, rate: 0, text: strings.uploadWaiting, cancel }
  })
  uploads.value = [...uploads.value, ...added]
  startNext()
}

export function retryUpload(upload: Upload): void {
  change(upload.id, { state: 'waiting', sent: 0, text: strings.uploadWaiting })
  startNext()
}

export function clearFinished(): void {
  uploads.value = uploads.value.filter((upload) => upload.state === 'waiting' || upload.state === 'running')
}

function startNext(): void {
  const running = uploads.value.filter((upload) => upload.state === 'running').length
  const waiting = uploads.value.filter((upload) => upload.state === 'waiting')
  for (const upload of waiting.slice(0, Math.max(0, parallel - running))) start(upload)
}

function start(upload: Upload): void {
  const { id } = upload
  const request = new XMLHttpRequest()
  const began = performance.now()
  const end = (fields: Partial<Upload>): void => {
    change(id, fields)
    startNext()
    void refresh()
  }
  request.upload.addEventListener('progress', (event) =>
    change(id, {
      sent: event.loaded,
      rate: event.loaded / Math.max(0.001, (performance.now() - began) / 1000),
    }),
  )
  request.addEventListener('load', () => {
    const answer = parse(request.responseText)
    if (request.status >= 200 && request.status < 300)
      end({ state: 'done', sent: upload.file.size, text: strings.uploadDone(Number(answer['copies'] ?? 1)) })
    else
      end({
        state: 'failed',
        text: [answer['detail'] ?? strings.uploadFailed, answer['next']].filter(Boolean).join(' — '),
      })
  })
  request.addEventListener('error', () => end({ state: 'failed', text: strings.connectionLost }))
  request.addEventListener('abort', () => end({ state: 'cancelled', text: strings.uploadCancelled }))
  request.open('PUT', downloadUrl(upload.path))
  request.setRequestHeader('peerstor-modified', String(upload.file.lastModified))
  change(id, { state: 'running', text: '', cancel: () => request.abort() })
  request.send(upload.file)
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** All files of a drop, folders included, with their paths below `into`. */
export async function filesOfDrop(data: DataTransfer, into: string): Promise<{ path: string; file: File }[]> {
  // Both must be read before the first await: the browser empties the transfer when the event ends.
  const items = [...data.items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }))
  const found: { path: string; file: File }[] = []
  for (const { entry, file } of items)
    if (entry !== null) await collect(entry, into, found)
    else if (file !== null) found.push({ path: `${into}/${file.name}`, file })
  return found
}

async function collect(
  entry: FileSystemEntry,
  into: string,
  found: { path: string; file: File }[],
): Promise<void> {
  const path = `${into}/${entry.name}`
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    found.push({ path, file })
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  // readEntries answers at most 100 at a time, an empty list at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (some.length === 0) return
    for (const child of some) await collect(child, path, found)
  }
}
