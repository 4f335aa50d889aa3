/**
 * What S3 clients keep with an object (`x-amz-meta-…`) and PeerStor knows by itself: the time of the
 * content, as rclone and s3fs write it, and s3cmd's line of facts. Other metadata is taken and not kept.
 */
import type { IncomingMessage } from 'node:http'
import type { Download, PutOptions } from '../peer/peer.ts'

/** Time and mode out of the headers of a request. */
export function factsIn(request: IncomingMessage): Pick<PutOptions, 'modified' | 'mode'> {
  const text = (name: string): string => {
    const value = request.headers[`x-amz-meta-${name}`]
    return typeof value === 'string' ? value : ''
  }
  const attributes = new Map(
    text('s3cmd-attrs')
      .split('/')
      .map((pair) => pair.split(':') as [string, string]),
  )
  const modified = msOf(text('mtime')) ?? msOf(attributes.get('mtime') ?? '')
  const mode = modeOf(text('mode')) ?? modeOf(attributes.get('mode') ?? '')
  return { ...(modified !== undefined && { modified }), ...(mode !== undefined && { mode }) }
}

/** The headers that say the same of a stored object. */
export function metadataOf({ modified }: Pick<Download, 'modified'>): Record<string, string> {
  return { 'x-amz-meta-mtime': (modified / 1000).toFixed(3) }
}

/** Seconds with or without a fraction, as milliseconds. */
function msOf(seconds: string): number | undefined {
  if (!/^\d{1,12}(?:\.\d{1,12})?$/.test(seconds)) return undefined
  return Math.floor(Number(seconds) * 1000)
}

/** The whole number of `stat`, its permission bits alone. */
function modeOf(text: string): number | undefined {
  return /^\d{1,8}$/.test(text) ? Number(text) & 0o7777 : undefined
}
