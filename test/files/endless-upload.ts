/** A peer in a process of its own that puts a file without end and says when much of it is written. */
import { randomBytes } from 'node:crypto'
import { createPeer } from '../../src/peer/create-peer.ts'

const home = process.argv[2]
if (import.meta.main && home !== undefined) {
  const settings = { host: '127.0.0.1', port: 0, 'peer-port': 0, mdns: false, contribute: 4 * 2 ** 30 }
  const peer = await createPeer({ home, settings, onLog: () => undefined })
  await peer.start()
  let told = false
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield randomBytes(2 ** 20)
      if (!told && (await peer.status()).storage.used > 40 * 2 ** 20) {
        told = true
        process.stdout.write('written\n')
      }
    }
  }
  await peer.files.put('files/endless', source())
}
