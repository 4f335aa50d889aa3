/**
 * The port that a peer with `peer-port = 0` had last: it takes the same again when it is free, because
 * that is where the others look for it. Devices that all came back elsewhere would not find each other.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSecret } from '../access/secret-file.ts'
import type { KeptPort } from '../net/network.ts'

/** In `<home>/peer-port`; what is no port there counts as none. */
export function keptPort(home: string): KeptPort {
  const path = join(home, 'peer-port')
  return {
    read: async () => {
      const port = Number(await readFile(path, 'utf8').catch(() => ''))
      return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
    },
    // A peer whose disk takes nothing now starts all the same.
    write: (port) => writeSecret(path, `${port}\n`).catch(() => undefined),
  }
}
