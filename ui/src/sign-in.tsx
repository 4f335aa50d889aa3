import { api } from './api.ts'
import { fieldText } from './format.ts'
import { attempt, notify, signedIn } from './state.ts'
import { strings } from './strings.ts'

export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    const typed = fieldText(new FormData(event.currentTarget as HTMLFormElement), 'token')
    void attempt(async () => {
      await api.signIn(shownBy(typed))
      signedIn.value = true
      onSignedIn()
    }).then(() => signedIn.value === true || notify(strings.signInHelp, 'error'))
  }
  return (
    <main class="sign-in">
      <h1>{strings.signInTitle}</h1>
      <p>{strings.signInHelp}</p>
      <form onSubmit={submit}>
        <label>
          {strings.token}
          <input name="token" type="password" required autocomplete="current-password" />
        </label>
        <button class="primary">{strings.signIn}</button>
      </form>
    </main>
  )
}

/** A link or its token has 43 letters that mean 256 bits; anything else is the page's password. */
function shownBy(typed: string): { token: string } | { password: string } {
  const token = /^(?:.*#token=)?([\w-]{43})$/.exec(typed.trim())?.[1]
  return token === undefined ? { password: typed } : { token }
}
