/**
 * A peer in a process of its own that puts files until it is killed. Each line on stdout is one
 * acknowledged file: `{path, size, hash}`; the content follows from the path alone.
 */
import { createHash } from 'node:crypto'
import { flushCompileCache } from 'node:module'
import { createPeer } from '../../src/peer/create-peer.ts'

/** Content that a checker can make again: `size` bytes that begin with the path's hash. */
export function contentFor(path: string, size: number): Buffer {
  const content = Buffer.alloc(size)
  let block = createHash('sha512').update(path).digest()
  for (let at = 0; at < size; at += block.length) {
    block.copy(content, at)
    if (at % 65_536 === 0) block = createHash('sha512').update(block).digest()
  }
  return content
}

export const settings = { host: '127.0.0.1', port: 0, 'peer-port': 0, mdns: false, contribute: 8 * 2 ** 30 }

const [home, round] = process.argv.slice(2)
if (import.meta.main && home !== undefined) {
  const peer = await createPeer({ home, settings, onLog: () => undefined })
  await peer.start()
  // A killed process never gets to write what it compiled.
  flushCompileCache()
  process.stdout.write(`${JSON.stringify({ ready: process.pid })}\n`)
  const sizes = [10, 10_000, 300_000, 3_000_000, 20_000, 9_000_000]
  const writer = async (lane: number): Promise<void> => {
    for (let number = 0; ; number++) {
      const path = `files/round-${round}/${lane}/${number}`
      const size = sizes[(lane + number) % sizes.length]!
      const source = async function* (): AsyncGenerator<Uint8Array> {
        const content = contentFor(path, size)
        for (let at = 0; at < size; at += 100_000) yield Uint8Array.from(content.subarray(at, at + 100_000))
      }
      const put = await peer.files.put(path, source(), { size })
      process.stdout.write(`${JSON.stringify({ path, size, hash: put.hash })}\n`)
      if (number % 5 === 4) await peer.files.move(path, `${path}-moved`)
      if (number % 7 === 6) await peer.files.put('files/same', source(), { size })
    }
  }
  await Promise.all([0, 1, 2, 3].map((lane) => writer(lane)))
}
