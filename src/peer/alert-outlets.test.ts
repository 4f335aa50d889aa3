import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { eventually, temporaryFolder } from '../../test/peer-fixture.ts'
import { realClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { postAlert, runAlertCommand, wordsOf } from './alert-outlets.ts'
import type { Alert } from './peer.ts'

const never = new AbortController().signal
const alert: Alert = {
  id: 'ab'.repeat(16),
  time: '2026-11-21T12:00:00.000Z',
  state: 'raised',
  device: { peer: 'self' as Alert['device']['peer'], name: 'laptop' },
  kind: 'damage',
  what: '1 chunk on this disk is damaged ("a; b" & `c`)',
  severity: 'error',
  next: 'peerstor scrub',
}

async function serve(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server: Server = createServer(answer).listen(0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
}

test('a webhook gets the alert as JSON; all but 2xx is a failure, and its address is told nowhere', async (t) => {
  const got: unknown[] = []
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await request.toArray()).toString()
    got.push([request.method, request.headers['content-type'], JSON.parse(body)])
    const status = request.url === '/hook' ? 204 : request.url === '/moved' ? 302 : 500
    response.writeHead(status, { location: '/hook' }).end()
  }
  const url = await serve(t, (request, response) => void take(request, response))
  await postAlert(url, alert, never, realClock)
  assert.deepEqual(got, [['POST', 'application/json', alert]])
  const broken = url.replace('/hook', '/secret')
  await assert.rejects(postAlert(broken, alert, never, realClock), {
    code: 'ALERT_REFUSED',
    message: 'the webhook answers 500',
  })
  await assert.rejects(postAlert(url.replace('/hook', '/moved'), alert, never, realClock), {
    message: 'the webhook answers 302',
  })
  const nobody = 'http://127.0.0.1:1/secret'
  await assert.rejects(postAlert(nobody, alert, never, realClock), (error: Error) => {
    assert.match(error.message, /^the webhook cannot be reached: /)
    return !error.message.includes('secret')
  })
})

test('a webhook that does not answer ends after its time', async (t) => {
  const asked = Promise.withResolvers<void>()
  const url = await serve(t, () => asked.resolve())
  const clock = new ManualClock()
  const posted = postAlert(url, alert, never, clock)
  const refused = assert.rejects(posted, { code: 'TIMED_OUT' })
  await asked.promise
  await clock.advance(limits.alertWebhookMs)
  await refused
  const stopping = new AbortController()
  const second = assert.rejects(postAlert(url, alert, stopping.signal, clock), { name: 'AbortError' })
  stopping.abort()
  await second
})

test('a command gets it on its input, without a shell, without settings, with nothing in its arguments', async (t) => {
  const folder = await temporaryFolder(t)
  const script = join(folder, 'take it.mjs')
  const out = join(folder, 'out.json')
  await writeFile(
    script,
    `import { readFileSync, writeFileSync } from 'node:fs'
     const own = Object.entries(process.env).filter(([name]) => name.startsWith('PEERSTOR_'))
     writeFileSync(process.argv[2], JSON.stringify({ input: readFileSync(0, 'utf8'), args: process.argv.slice(3), own }))`,
  )
  process.env['PEERSTOR_JOIN'] = 'a code'
  t.after(() => delete process.env['PEERSTOR_JOIN'])
  await runAlertCommand(`"${process.execPath}" "${script}" ${out} $(id) ;`, alert, never, realClock)
  const { input, args, own } = JSON.parse(await readFile(out, 'utf8')) as Record<string, unknown>
  assert.deepEqual(JSON.parse(String(input)), alert)
  assert.deepEqual(args, ['$(id)', ';'])
  assert.deepEqual(own, [
    ['PEERSTOR_ALERT_STATE', 'raised'],
    ['PEERSTOR_ALERT_KIND', 'damage'],
    ['PEERSTOR_ALERT_SEVERITY', 'error'],
  ])
  const failing = `"${process.execPath}" -e process.exit(3)`
  await assert.rejects(runAlertCommand(failing, alert, never, realClock), {
    message: 'the alert command ends with 3',
  })
  await assert.rejects(runAlertCommand(join(folder, 'nothing'), alert, never, realClock), {
    code: 'ALERT_REFUSED',
  })
})

test(
  'a command that hangs is ended with all that it started',
  { skip: process.platform === 'win32' },
  async (t) => {
    const folder = await temporaryFolder(t)
    const pids = join(folder, 'pids')
    const clock = new ManualClock()
    const script = join(folder, 'hang.sh')
    await writeFile(script, `sleep 1000 & echo $! > ${pids}.part; mv ${pids}.part ${pids}; wait\n`)
    const refused = assert.rejects(runAlertCommand(`sh ${script}`, alert, never, clock), {
      code: 'TIMED_OUT',
    })
    await eventually(
      'it runs',
      () =>
        readFile(pids).then(
          () => true,
          () => false,
        ),
      60_000,
    )
    await clock.advance(limits.alertCommandMs)
    await refused
    const pid = Number(await readFile(pids, 'utf8'))
    await eventually('its child is gone', async () => !(await isRunning(pid)), 60_000)
  },
)

/** Neither running nor waiting to be collected by whoever adopts it. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && !/^\d+ \(.*\) [ZX]/.test(stat)
}

test('a command line is words', () => {
  assert.deepEqual(wordsOf('notify  --to "my phone" ""'), ['notify', '--to', 'my phone', ''])
})
