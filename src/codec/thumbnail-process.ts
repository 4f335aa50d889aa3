/** The process that decodes images: formats of known decoders alone, few pixels, little time. */
import { createRequire } from 'node:module'
import { limits } from '../base/limits.ts'

/** Says in its environment what a process of this program is for. */
export const roleName = 'PEERSTOR_ROLE'
export const thumbnailRole = 'thumbnails'

export interface ThumbnailJob {
  image: Uint8Array
  /** Pixels. */
  edge: number
}

export type ThumbnailAnswer = { picture: Uint8Array } | { reason: string }

/** What is used here of the package sharp, which may be missing. */
export interface Sharp {
  (
    image: Uint8Array,
    options: { limitInputPixels: number; sequentialRead: boolean; failOn: 'error' },
  ): Picture
  cache(on: false): unknown
  concurrency(threads: number): unknown
  block(options: { operation: readonly string[] }): void
  unblock(options: { operation: readonly string[] }): void
}

interface Picture {
  autoOrient(): Picture
  resize(width: number, height: number, options: { fit: 'inside'; withoutEnlargement: true }): Picture
  webp(options: { quality: number }): Picture
  timeout(options: { seconds: number }): Picture
  toBuffer(): Promise<Buffer>
}

/** Decoders for JPEG, PNG, WebP and GIF; no other is ever asked (SVG reads files, TIFF and HEIF have a past). */
const decoders = ['JpegBuffer', 'PngBuffer', 'WebpBuffer', 'NsgifBuffer'].map(
  (name) => `VipsForeignLoad${name}`,
)

export const isThumbnailProcess = (): boolean =>
  process.env[roleName] === thumbnailRole && process.send !== undefined

let running = false

/** Answers one job after the other until whoever asks is gone. */
export function runThumbnailProcess(): void {
  if (running) return
  running = true
  const sharp = createRequire(import.meta.url)('sharp') as Sharp
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: decoders })
  process.on('disconnect', () => process.exit())
  process.on('message', (job: ThumbnailJob) => {
    const answer = pictureOf(sharp, job).then(
      (picture): ThumbnailAnswer => ({ picture }),
      (thrown: unknown): ThumbnailAnswer => ({
        reason: thrown instanceof Error ? thrown.message : 'unknown',
      }),
    )
    void answer.then((told) => process.send?.(told))
  })
}

function pictureOf(sharp: Sharp, { image, edge }: ThumbnailJob): Promise<Buffer> {
  return sharp(image, { limitInputPixels: limits.thumbnailPixels, sequentialRead: true, failOn: 'error' })
    .autoOrient()
    .resize(edge, edge, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 75 })
    .timeout({ seconds: limits.thumbnailMs / 1000 })
    .toBuffer()
}
