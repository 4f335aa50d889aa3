/** A small picture of an image that is a file. */
import { fail, PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { CallOptions } from '../base/words.ts'
import { download } from './download.ts'
import type { FilesParts } from './files-parts.ts'
import type { Thumbnail } from './files.ts'

/** What the decoders take; the name of a file says it, and they look for themselves. */
const types = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/gif'])

export async function thumbnail(
  parts: FilesParts,
  path: string,
  edge: number,
  options: CallOptions = {},
): Promise<Thumbnail> {
  const file = await download(parts, path, options)
  if (!types.has(file.type)) throw fail('NO_THUMBNAIL', { path: file.path, reason: `it is ${file.type}` })
  if (file.size > limits.thumbnailSource)
    throw fail('NO_THUMBNAIL', {
      path: file.path,
      reason: `it is larger than ${limits.thumbnailSource} bytes`,
    })
  const read = async (): Promise<Uint8Array> => Buffer.concat(await Array.fromAsync(file.bytes))
  try {
    return { hash: file.hash, type: 'image/webp', bytes: await parts.thumbnails.of(file.hash, edge, read) }
  } catch (thrown) {
    if (!(thrown instanceof PeerStorError) || thrown.code !== 'NO_THUMBNAIL') throw thrown
    throw fail('NO_THUMBNAIL', { path: file.path, reason: String(thrown.data['reason']) })
  }
}
