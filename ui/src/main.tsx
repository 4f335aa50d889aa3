import { render } from 'preact'
import { api } from './api.ts'
import { App, begin } from './app.tsx'
import { signedIn } from './state.ts'
import './styles.css'

/** The token of the link is exchanged for a session and leaves the address at once. */
async function signInByLink(): Promise<void> {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1]
  if (token === undefined) return
  history.replaceState(undefined, '', location.pathname)
  await api.signIn({ token: decodeURIComponent(token) }).catch(() => undefined)
}

async function main(): Promise<void> {
  await signInByLink()
  signedIn.value = await api.status().then(
    () => true,
    () => false,
  )
  render(<App />, document.querySelector('#app')!)
  if (signedIn.value) begin()
}

void main()
