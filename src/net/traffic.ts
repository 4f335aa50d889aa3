/** Bytes sent to and received from each peer since it connected, over streams and lanes alike. */
import type { Duplex } from 'node:stream'
import { limits } from '../base/limits.ts'
import type { PeerId } from '../base/words.ts'

export type CountingSocket = Duplex & { readonly bytesRead: number; readonly bytesWritten: number }

interface Row {
  open: Set<CountingSocket>
  sentBytes: number
  receivedBytes: number
}

export class Traffic {
  readonly #rows = new Map<PeerId, Row>()

  track<Socket extends CountingSocket>(socket: Socket, peer: PeerId): Socket {
    const row = this.#row(peer)
    row.open.add(socket)
    socket.once('close', () => {
      row.open.delete(socket)
      row.sentBytes += socket.bytesWritten
      row.receivedBytes += socket.bytesRead
    })
    return socket
  }

  of(peer: PeerId): { sentBytes: number; receivedBytes: number } {
    const { open, sentBytes, receivedBytes } = this.#rows.get(peer) ?? emptyRow()
    const sockets = [...open]
    return {
      sentBytes: sockets.reduce((sum, socket) => sum + socket.bytesWritten, sentBytes),
      receivedBytes: sockets.reduce((sum, socket) => sum + socket.bytesRead, receivedBytes),
    }
  }

  forget(peer: PeerId): void {
    this.#rows.delete(peer)
  }

  #row(peer: PeerId): Row {
    const row = this.#rows.get(peer) ?? emptyRow()
    if (this.#rows.size < limits.peers) this.#rows.set(peer, row)
    return row
  }
}

const emptyRow = (): Row => ({ open: new Set(), sentBytes: 0, receivedBytes: 0 })
