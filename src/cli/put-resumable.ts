/** A large file by tus: an upload that an earlier `put` of the same file began is gone on with. */
import type { Stats } from 'node:fs'
import type { Client } from '../api/client.ts'
import { fail, isCode } from '../base/errors.ts'
import type { PutResult } from '../peer/peer.ts'
import type { Context } from './context.ts'
import { readLarge } from './local-file.ts'
import type { Progress } from './progress.ts'
import { untilDone } from './resume.ts'

export interface ResumableFile {
  path: string
  local: string
  stats: Stats
  facts: { mode: number; modified: number; expires?: string | undefined }
  durability: number | undefined
}

/** A line of `GET /api/v1/uploads`. */
interface Known {
  id: string
  path: string
  part: boolean
  size: number | null
  modified: number | null
  offset: number
  result: PutResult | null
}

export async function putResumable(
  context: Context,
  client: Client,
  file: ResumableFile,
  progress: Progress,
): Promise<PutResult> {
  const { signal } = context
  let at = await begunBefore(client, file, signal)
  let offset = 0
  let told = 0
  // What an earlier run brought counts as done; what is sent twice counts once.
  const tell = (bytes: number): void => {
    progress.add(0, bytes - told)
    told = bytes
  }
  return untilDone(
    context,
    client,
    () => offset,
    async (now) => {
      at ??= await begin(now, file, signal)
      const stands = await standsAt(now, at, signal)
      if (stands === undefined) at = await begin(now, file, signal)
      offset = stands ?? 0
      tell(offset)
      if (offset < file.stats.size) await sendRest(now, at, file, offset, tell, signal)
      return resultOf(now, at, file, signal)
    },
  )
}

/** The address of an open upload of this very file. */
async function begunBefore(
  client: Client,
  file: ResumableFile,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { uploads } = await client.get<{ uploads: Known[] }>('/api/v1/uploads', {}, signal)
  const same = uploads.find(
    ({ path, part, size, modified, result }) =>
      path === file.path.normalize('NFC') &&
      !part &&
      result === null &&
      size === file.stats.size &&
      modified === file.facts.modified,
  )
  return same && `/uploads/${same.id}`
}

async function begin(client: Client, file: ResumableFile, signal: AbortSignal): Promise<string> {
  const { mode, modified, expires } = file.facts
  const metadata = Object.entries({ path: file.path, mode, modified, expires })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${Buffer.from(String(value)).toString('base64')}`)
    .join(',')
  const headers = { 'upload-length': String(file.stats.size), 'upload-metadata': metadata }
  const { location } = await client.tus('POST', '/uploads', { headers, signal })
  if (location === undefined) throw fail('INTERNAL', { reason: 'the peer named no upload' })
  return location
}

/** Bytes that are there; undefined: the peer knows the upload no more. */
async function standsAt(client: Client, at: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    return (await client.get<Known>(at, {}, signal)).offset
  } catch (thrown) {
    if (isCode(thrown, 'UPLOAD_UNKNOWN') || isCode(thrown, 'UPLOAD_EXPIRED')) return undefined
    throw thrown
  }
}

async function sendRest(
  client: Client,
  at: string,
  file: ResumableFile,
  offset: number,
  tell: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const source = async function* (): AsyncGenerator<Uint8Array> {
    let sent = offset
    for await (const piece of readLarge(file.local, file.stats, offset)) {
      tell((sent += piece.length))
      yield piece
    }
  }
  try {
    await client.goOn(at, source(), { offset, size: file.stats.size }, { signal })
  } catch (thrown) {
    // Half of what the file was is of no use.
    if (isCode(thrown, 'SOURCE_CHANGED')) await client.tus('DELETE', at, { signal }).catch(() => undefined)
    throw thrown
  }
}

async function resultOf(
  client: Client,
  at: string,
  file: ResumableFile,
  signal: AbortSignal,
): Promise<PutResult> {
  const { result } = await client.get<Known>(at, { durability: file.durability }, signal)
  if (result === null) throw fail('INTERRUPTED', { what: `the upload of ${file.path}` })
  return result
}
