import { api } from './api.ts'
import { fieldText } from './format.ts'
import { attempt, notify, signedIn } from './state.ts'
import { strings } from './strings.ts'

export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    const token = fieldText(new FormData(event.currentTarget as HTMLFormElement), 'token')
    void attempt(async () => {
      await api.signIn(token.replace(/^.*#token=/, ''))
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
          <input name="token" type="password" required autocomplete="off" />
        </label>
        <button class="primary">{strings.signIn}</button>
      </form>
    </main>
  )
}
