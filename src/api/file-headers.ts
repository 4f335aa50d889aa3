/**
 * Facts of a file that HTTP has no header for. `GET` answers them, `PUT` takes them, and the command
 * line and the batch stream use the same, so that a tree survives the way there and back.
 */
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import type { Clock } from '../base/clock.ts'
import type { PutOptions } from '../peer/peer.ts'
import { checked } from './body.ts'
import { expiry, expiryAt } from './inputs.ts'

const wholeNumber = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

export const fileFacts = z.object({
  /** POSIX mode bits. */
  mode: z.coerce.number().int().min(0).max(0o7777).optional(),
  /** Wall milliseconds. */
  modified: wholeNumber.optional(),
  created: wholeNumber.optional(),
  /** Target of a symbolic link. */
  link: z.string().min(1).max(limits.pathBytes).optional(),
  expires: expiry.optional(),
})

export type FileFacts = z.output<typeof fileFacts>

/** Facts as the verbs take them. */
export function factsNow<Facts extends Pick<FileFacts, 'expires'>>(
  { expires, ...facts }: Facts,
  clock: Clock,
): Omit<Facts, 'expires'> & Pick<PutOptions, 'expires'> {
  return { ...facts, ...(expires === undefined ? {} : { expires: expiryAt(expires, clock.now()) }) }
}

/** `PeerStor-Mode` (octal), `PeerStor-Modified` and `-Created` (milliseconds), `PeerStor-Link` (percent-encoded), `PeerStor-Expires`. */
export function factsOf(request: IncomingMessage): FileFacts {
  const text = (name: string): string | undefined => {
    const value = request.headers[name]
    return typeof value === 'string' ? value : undefined
  }
  const mode = text('peerstor-mode')
  const link = text('peerstor-link')
  return checked(
    fileFacts,
    {
      mode:
        mode === undefined ? undefined : /^[0-7]{1,5}$/.test(mode) ? Number.parseInt(mode, 8) : Number.NaN,
      modified: text('peerstor-modified'),
      created: text('peerstor-created'),
      link: link === undefined ? undefined : decodeText(link),
      expires: text('peerstor-expires'),
    },
    'a PeerStor header',
  )
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
