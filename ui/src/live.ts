/** The event stream of the peer: what changes there shows here; a lost connection heals by itself. */
import { connected, refresh } from './state.ts'

let since: number | undefined
let waitMs = 500
let refreshTimer: ReturnType<typeof setTimeout> | undefined

/** Many events in a row cause one refresh. */
function refreshSoon(): void {
  refreshTimer ??= setTimeout(() => {
    refreshTimer = undefined
    void refresh()
  }, 250)
}

export function followEvents(): void {
  const address = new URL('/events', location.href)
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
  if (since !== undefined) address.searchParams.set('since', String(since))
  const socket = new WebSocket(address)
  socket.addEventListener('open', () => {
    waitMs = 500
    connected.value = true
    refreshSoon()
  })
  socket.addEventListener('message', (message: MessageEvent<string>) => {
    const event = JSON.parse(message.data) as { seq?: number }
    if (typeof event.seq === 'number') since = event.seq
    refreshSoon()
  })
  socket.addEventListener('close', ({ code }) => {
    // Signed out: the next answer leads to the sign-in page, which begins anew.
    if (code === 1008) void refresh()
    else tryAgain()
  })
}

function tryAgain(): void {
  connected.value = false
  setTimeout(followEvents, waitMs)
  waitMs = Math.min(waitMs * 2, 10_000)
}
