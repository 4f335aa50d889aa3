/** The pool's devices: who is there, what each contributes, adding and revoking. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { renderSVG } from 'uqr'
import { api, type Invite, type PeerLine } from './api.ts'
import { agoText, durationText, fieldText, sizeText } from './format.ts'
import { Problems } from './problems.tsx'
import { RetireSwitch } from './retire-switch.tsx'
import { attempt, notify, peers, refresh } from './state.ts'
import { strings } from './strings.ts'
import { WorkersTable } from './workers-table.tsx'

export function DevicesView() {
  const [invite, setInvite] = useState<{ storageOnly: boolean } | undefined>(undefined)
  const [joining, setJoining] = useState(false)
  const [printing, setPrinting] = useState(false)
  const [retiring, setRetiring] = useState<ReadonlySet<string>>(new Set())
  useEffect(() => {
    void attempt(async () => {
      const { devices } = await api.devices()
      const going = devices.flatMap(({ peer, state }) => (state === 'retiring' && peer ? [peer] : []))
      setRetiring(new Set(going))
    })
  }, [peers.value])
  return (
    <section aria-label={strings.devices}>
      <div class="bar">
        <h2>{strings.devices}</h2>
        <div class="tools">
          <button class="primary" onClick={() => setInvite({ storageOnly: false })}>
            {strings.addDevice}
          </button>
          <button onClick={() => setInvite({ storageOnly: true })}>{strings.addStorage}</button>
          <button onClick={() => setJoining(true)}>{strings.join}</button>
          <button onClick={() => setPrinting(true)}>{strings.recoveryKey}</button>
        </div>
      </div>
      <Problems />
      <ul class="cards">
        {peers.value.map((peer) => (
          <DeviceCard key={peer.peer} peer={peer} retiring={retiring.has(peer.peer)} />
        ))}
      </ul>
      <WorkersTable />
      {invite !== undefined && (
        <InviteDialog storageOnly={invite.storageOnly} close={() => setInvite(undefined)} />
      )}
      {printing && <RecoveryDialog close={() => setPrinting(false)} />}
      {joining && <JoinDialog close={() => setJoining(false)} />}
    </section>
  )
}

function DeviceCard({ peer, retiring }: { peer: PeerLine; retiring: boolean }) {
  const name = peer.name || peer.peer.slice(-8)
  const revoke = (): void => {
    if (confirm(strings.revokeConfirm(name)))
      void attempt(async () => {
        await api.revoke(peer.peer)
        await refresh()
      })
  }
  const online = peer.state !== 'offline'
  return (
    <li class="card">
      <h3>
        <span class={`dot ${online ? 'online' : 'offline'}`} aria-hidden="true" /> {name}
      </h3>
      <p>
        {peer.state === 'self' ? strings.thisDevice : online ? strings.online : strings.offline} ·{' '}
        {strings.roles[peer.role] ?? peer.role}
        {peer.latencyMs !== undefined && ` · ${strings.latency(peer.latencyMs)}`}
        {!online && peer.lastSeen !== undefined && ` · ${strings.lastSeen(agoText(peer.lastSeen))}`}
      </p>
      {peer.storage !== undefined && peer.storage.contributed > 0 && (
        <>
          <meter min={0} max={peer.storage.contributed} value={peer.storage.used} aria-label={strings.size} />
          <p>
            <small>{strings.used(sizeText(peer.storage.used), sizeText(peer.storage.contributed))}</small>
          </p>
        </>
      )}
      <p class="hash">
        <small>{peer.peer}</small>
      </p>
      {online && <RetireSwitch peer={peer.peer} name={name} retiring={retiring} />}{' '}
      {peer.state !== 'self' && <button onClick={revoke}>{strings.revoke}</button>}
    </li>
  )
}

/** A native modal dialog: focus is kept inside, Escape closes it. */
function Dialog({
  title,
  close,
  children,
}: {
  title: string
  close: () => void
  children: preact.ComponentChildren
}) {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => element.current?.showModal(), [])
  return (
    <dialog ref={element} onClose={close} aria-label={title}>
      <header>
        <h2>{title}</h2>
        <button onClick={() => element.current?.close()} aria-label={strings.close}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  )
}

function InviteDialog({ storageOnly, close }: { storageOnly: boolean; close: () => void }) {
  const [invite, setInvite] = useState<Invite | undefined>(undefined)
  const [left, setLeft] = useState(0)
  useEffect(() => void attempt(async () => setInvite(await api.invite(storageOnly))), [])
  useEffect(() => {
    if (invite === undefined) return undefined
    const tick = (): void => setLeft((Date.parse(invite.expires) - Date.now()) / 1000)
    tick()
    const timer = setInterval(tick, 1000)
    return () => clearInterval(timer)
  }, [invite])
  const command = invite === undefined ? '' : `peerstor start --join ${invite.code}`
  const copy = (): void => void navigator.clipboard.writeText(command).then(() => notify(strings.copied))
  return (
    <Dialog title={strings.inviteTitle} close={close}>
      <p>{storageOnly ? strings.inviteStorageHelp : strings.inviteHelp}</p>
      {invite !== undefined && (
        <>
          <div class="qr" dangerouslySetInnerHTML={{ __html: renderSVG(invite.link) }} />
          <textarea
            readOnly
            rows={4}
            aria-label={strings.code}
            value={command}
            onFocus={(event) => event.currentTarget.select()}
          />
          <p>
            <button class="primary" onClick={copy}>
              {strings.copyCode}
            </button>{' '}
            <small>{left > 0 ? strings.inviteExpires(durationText(left)) : strings.inviteExpired}</small>
          </p>
        </>
      )}
    </Dialog>
  )
}

/** The code of the paper, once; what prints it is the browser. */
function RecoveryDialog({ close }: { close: () => void }) {
  const [code, setCode] = useState('')
  useEffect(
    () =>
      void attempt(async () => setCode((await api.printRecovery()).code)).then(() =>
        setCode((shown) => (shown === '' ? (close(), '') : shown)),
      ),
    [],
  )
  const done = (): void =>
    void attempt(async () => {
      await api.confirmRecovery()
      notify(strings.recoveryConfirmed)
      close()
      await refresh()
    })
  return (
    <Dialog title={strings.recoveryKey} close={close}>
      <p>{strings.recoveryHelp}</p>
      {code !== '' && (
        <>
          <div class="qr" dangerouslySetInnerHTML={{ __html: renderSVG(code.replaceAll(' ', '')) }} />
          <p class="paper">{code}</p>
          <p>
            <code>{strings.recoveryUse}</code>
          </p>
          <p>
            <button onClick={() => print()}>{strings.print}</button>{' '}
            <button class="primary" onClick={done}>
              {strings.recoveryDone}
            </button>
          </p>
        </>
      )}
    </Dialog>
  )
}

function JoinDialog({ close }: { close: () => void }) {
  const join = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    void attempt(async () => {
      await api.join(fieldText(form, 'code'), form.get('bring') === 'on')
      notify(strings.joined)
      close()
      await refresh()
    })
  }
  return (
    <Dialog title={strings.join} close={close}>
      <p>{strings.joinHelp}</p>
      <form onSubmit={join}>
        <label>
          {strings.code}
          <textarea name="code" rows={4} required autocomplete="off" spellcheck={false} />
        </label>
        <label class="check">
          <input type="checkbox" name="bring" /> {strings.bringFiles}
        </label>
        <button class="primary">{strings.join}</button>
      </form>
    </Dialog>
  )
}
