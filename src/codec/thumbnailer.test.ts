/** The process that decodes images: what it makes, what it refuses, and that it can be ended at any time. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { crc32 } from 'node:zlib'
import { ManualClock } from '../../test/manual-clock.ts'
import { needsSharp, sharp } from '../../test/sharp.ts'
import { realClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { ThumbnailProcess } from './thumbnailer.ts'

const screenshots = join(import.meta.dirname, '../../docs/images')
const red = { create: { width: 900, height: 300, channels: 3 as const, background: 'red' } }

test(
  'pictures of real and made images keep their shape and are never larger than asked',
  needsSharp,
  async (t) => {
    const maker = new ThumbnailProcess(realClock)
    t.after(() => maker.close())
    const images: [string, Buffer][] = [
      ['png', await readFile(join(screenshots, 'files.png'))],
      ['jpeg', await sharp(red).jpeg().toBuffer()],
      ['webp', await sharp(red).webp().toBuffer()],
      ['gif', await sharp(red).gif().toBuffer()],
      ['turned', await sharp(red).jpeg().withMetadata({ orientation: 6 }).toBuffer()],
    ]
    for (const [name, image] of images) {
      const before = await sharp(image).metadata()
      const picture = await sharp(await maker.make(image, 128)).metadata()
      const { width, height } = before.autoOrient
      assert.equal(picture.format, 'webp', name)
      assert.equal(Math.max(picture.width, picture.height), 128, name)
      assert.ok(Math.abs(picture.width / picture.height - width / height) < 0.05, name)
      assert.equal(picture.exif, undefined)
    }
    const small = await sharp(
      await maker.make(await sharp(red).resize(9, 3).png().toBuffer(), 128),
    ).metadata()
    assert.deepEqual([small.width, small.height], [9, 3])
  },
)

test(
  'bombs, damaged images and formats of other decoders are refused, and the next is made',
  needsSharp,
  async (t) => {
    const maker = new ThumbnailProcess(realClock)
    t.after(() => maker.close())
    const png = await sharp(red).png({ compressionLevel: 0 }).toBuffer()
    const huge = Buffer.from(png)
    // The width and height that its first chunk says, with a checksum that fits.
    huge.writeUInt32BE(60_000, 16)
    huge.writeUInt32BE(60_000, 20)
    huge.writeUInt32BE(crc32(huge.subarray(12, 29)), 29)
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><image href="/etc/passwd"/></svg>'
    const refused: [string, Uint8Array][] = [
      ['an enormous one', huge],
      ['half of one', png.subarray(0, png.length / 2)],
      ['text', Buffer.from('no image')],
      ['nothing', Buffer.alloc(0)],
      ['SVG', Buffer.from(svg)],
      ['TIFF', await sharp(red).tiff().toBuffer()],
      ['PDF', Buffer.from('%PDF-1.7\n')],
    ]
    for (const [name, image] of refused)
      await assert.rejects(maker.make(image, 128), { code: 'NO_THUMBNAIL' }, name)
    assert.ok((await maker.make(png, 64)).length > 0)
  },
)

test(
  'one that takes too long is given up with its process, and the next is made by a new one',
  needsSharp,
  async (t) => {
    const clock = new ManualClock()
    const maker = new ThumbnailProcess(clock)
    t.after(() => maker.close())
    const image = await sharp(red).png().toBuffer()
    const late = maker.make(image, 64)
    const told = assert.rejects(late, { code: 'NO_THUMBNAIL' })
    await clock.advance(limits.thumbnailMs)
    await told
    assert.ok((await maker.make(image, 64)).length > 0)
    // Idle for long enough it ends; then it is started again.
    await clock.advance(limits.thumbnailIdleMs)
    assert.ok((await maker.make(image, 64)).length > 0)
  },
)
