/**
 * Answers a request whose body was not read. Closing at once would reset the connection and take the
 * answer with it (the client is still sending), reading all of it would cost up to gigabytes: so the
 * answer goes out whole, the rest of the body is thrown away for a moment, then the socket closes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'

const lingerMs = 2_000
const lingerBytes = 4 * 1024 * 1024

export function closeLingering(
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
  clock: Clock,
): void {
  let drained = 0
  if (request.httpVersionMajor < 2) response.setHeader('connection', 'close')
  response.write(body)
  const end = (): void => {
    cancel()
    request.removeAllListeners('data')
    response.end()
  }
  const cancel = clock.after(lingerMs, end)
  request.once('end', end)
  request.once('close', end)
  request.on('error', () => undefined)
  request.on('data', (chunk: Buffer) => {
    drained += chunk.length
    if (drained > lingerBytes) end()
  })
}
