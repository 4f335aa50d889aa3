/** Two uploads to one name at once, on one device and on two that do not hear each other: both versions stay. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { PeerProcess, runToEnd } from '../../src/cli/peer-process.ts'
import { eventually, temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

interface Versions {
  entries: { version: string; state: string }[]
}

const put = (peer: PeerProcess, input: string): ReturnType<typeof runToEnd> =>
  runToEnd(program, ['put', '-', '--to', 'files/name', '--home', peer.home], { input })

/** The content of every version of the name that is not old. */
async function current(peer: PeerProcess): Promise<string[]> {
  const ask = (path: string): Promise<Response> =>
    fetch(`${peer.started.url}${path}`, { headers: { authorization: `Bearer ${peer.started.token}` } })
  const answer = await ask('/api/v1/versions/files/name')
  if (!answer.ok) return []
  const { entries } = (await answer.json()) as Versions
  const heads = entries.filter(({ state }) => state === 'current' || state === 'conflict')
  const contents = heads.map(async ({ version }) =>
    (await ask(`/files/files/name?version=${version}`)).text(),
  )
  return (await Promise.all(contents)).sort()
}

test('two devices that wrote one name apart keep both versions, everywhere', async (t) => {
  const folder = await temporaryFolder(t)
  const one = new PeerProcess(program, 'one', join(folder, 'one'))
  const two = new PeerProcess(program, 'two', join(folder, 'two'))
  t.after(() => Promise.all([one.kill(), two.kill()]))
  await one.start()
  const { code } = await one.json<{ code: string }>(['invite'])
  await two.start(undefined, code)
  await eventually('the folder', async () => (await two.run(['ls'])).includes('files'))
  await two.stop()
  assert.equal((await put(one, 'of one')).code, 0)
  await one.stop()
  await two.start()
  assert.equal((await put(two, 'of two')).code, 0)
  await one.start()
  // Both came back on other ports, and there is no multicast here.
  const { addresses } = await two.json<{ addresses: string[] }>(['status'])
  await one.run(['peers', 'add', addresses[0] as string])
  for (const peer of [one, two]) {
    const both = async (): Promise<boolean> => (await current(peer)).join() === 'of one,of two'
    await eventually(`both versions on ${peer.name}`, both, 40_000)
    const { entries } = await peer.json<Versions>(['versions', 'files/name'])
    assert.deepEqual(entries.map(({ state }) => state).sort(), ['conflict', 'current'])
    const list = await peer.json<{ entries: { path: string; conflict?: boolean }[] }>(['ls', 'files'])
    assert.ok(
      list.entries.some(({ conflict }) => conflict === true),
      JSON.stringify(list),
    )
  }
})

test('uploads to one name at the same moment on one device lose none', async (t) => {
  const folder = await temporaryFolder(t)
  const peer = new PeerProcess(program, 'alone', join(folder, 'home'))
  t.after(() => peer.kill())
  const { url, token } = await peer.start()
  const contents = Array.from({ length: 8 }, (_, index) => `content ${index}`)
  const answers = await Promise.all(
    contents.map((body) =>
      fetch(`${url}/files/files/name`, {
        method: 'PUT',
        body,
        headers: { authorization: `Bearer ${token}` },
      }),
    ),
  )
  // Those that began when others had ended replaced them: there are tombstones among the versions then.
  const versions = answers.map(async (answer) => {
    assert.ok(answer.ok, `${answer.status}`)
    return ((await answer.json()) as { version: string }).version
  })
  const kept = (await Promise.all(versions)).map((version) =>
    peer.run(['get', 'files/name', '--version', version, '-o', '-']),
  )
  assert.deepEqual(await Promise.all(kept), contents)
})
