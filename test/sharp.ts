/** The image package, for making and looking at images in tests; it is optional, and so are they. */
import { createRequire } from 'node:module'

/** As much of it as the tests use. */
export interface TestSharp {
  (
    image: Uint8Array | { create: { width: number; height: number; channels: 3; background: string } },
  ): TestImage
}

interface TestImage {
  resize(width: number, height: number): TestImage
  jpeg(): TestImage
  png(options?: { compressionLevel: number }): TestImage
  webp(): TestImage
  gif(): TestImage
  tiff(): TestImage
  withMetadata(options: { orientation: number }): TestImage
  toBuffer(): Promise<Buffer>
  metadata(): Promise<{
    format: string
    width: number
    height: number
    exif?: Buffer
    autoOrient: { width: number; height: number }
  }>
}

/** Throws when it is used and missing. */
export const sharp: TestSharp = (image) => (load('sharp') as TestSharp)(image)

/** Options of a test that needs it: a named skip; with CI=true it fails the file. */
export const needsSharp: { skip?: string } = isInstalled() ? {} : missing()

const load = createRequire(import.meta.url)

function isInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve('sharp')
    return true
  } catch {
    return false
  }
}

function missing(): { skip: string } {
  if (process.env['CI'] === 'true')
    throw new Error('the package sharp is missing, and with CI=true no test may be skipped for that')
  return { skip: 'the package sharp is missing' }
}
