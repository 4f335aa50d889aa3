/** For ports that speak two protocols: a connection is given to the one that its first byte tells of. */
import type { Socket } from 'node:net'

/** Looks at the first byte without taking it; a connection that sends none within `timeoutMs` is closed. */
export function onFirstByte(socket: Socket, timeoutMs: number, decide: (first: number) => void): void {
  const giveUp = (): void => void socket.destroy()
  socket.on('error', giveUp)
  socket.setTimeout(timeoutMs, giveUp)
  socket.once('readable', () => {
    socket.setTimeout(0)
    socket.off('timeout', giveUp)
    const bytes = socket.read() as Buffer | null
    if (bytes === null) return giveUp()
    socket.unshift(bytes)
    decide(bytes[0] ?? 0)
  })
}
