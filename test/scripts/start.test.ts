import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { text } from 'node:stream/consumers'
import { makeClone } from './clone.ts'

const posix = process.platform === 'win32' ? { skip: 'Windows has no signals' } : {}

/** Stands for the peer: says what it was given, and each signal; ends when told to. */
const main = `
  const end = (code: number) => setTimeout(() => process.exit(code), 50)
  if (process.argv.includes('--exit')) end(7)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => { console.log(signal); end(3) })
  setInterval(() => undefined, 1000)
  console.log(JSON.stringify({ args: process.argv.slice(2), pid: process.pid, parent: process.env.PEERSTOR_PARENT }))`

interface Said {
  args: string[]
  pid: number
  parent?: string
}

/** Starts a program and resolves with the first line it prints; it is ended after the test. */
async function begin(
  t: TestContext,
  program: string,
  args: string[],
): Promise<{ child: ChildProcess; said: Said; rest: Promise<string> }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, said: JSON.parse(line.toString()) as Said, rest: text(child.stdout) }
}

test('npm start passes arguments and exit code, and its own process id', async (t) => {
  const clone = makeClone(t, main)
  const { child, said } = await begin(t, process.execPath, [
    join(clone, 'scripts/start.mjs'),
    '--port',
    '0',
    '--exit',
  ])
  assert.deepEqual(said.args, ['start', '--port', '0', '--exit'])
  assert.equal(said.parent, String(child.pid))
  const [code] = (await once(child, 'exit')) as [number]
  assert.equal(code, 7)
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  test(`npm start passes ${signal} on, a burst once`, posix, async (t) => {
    const { child, rest } = await begin(t, process.execPath, [join(makeClone(t, main), 'scripts/start.mjs')])
    child.kill(signal)
    child.kill(signal)
    const [code] = (await once(child, 'exit')) as [number]
    assert.equal(code, 3)
    assert.equal(await rest, `${signal}\n`)
  })

test(
  'npm start ends the peer when the process that began it is killed',
  { ...posix, timeout: 60_000 },
  async (t) => {
    const script = join(makeClone(t, main), 'scripts/start.mjs')
    const parent = `require('node:child_process').spawn(process.execPath, [${JSON.stringify(script)}], { stdio: 'inherit' })`
    const { child, rest } = await begin(t, process.execPath, ['-e', parent])
    child.kill('SIGKILL')
    assert.equal(await rest, 'SIGTERM\n')
  },
)

test('bin/peerstor becomes the peer, from anywhere and through links', posix, async (t) => {
  const clone = makeClone(t, main)
  symlinkSync('bin/peerstor', join(clone, 'link'))
  symlinkSync(join(clone, 'link'), join(clone, 'scripts/absolute'))
  for (const path of ['bin/peerstor', 'link', 'scripts/absolute']) {
    const { child, said } = await begin(t, join(clone, path), ['put', 'a b', '--exit'])
    assert.deepEqual(said.args, ['put', 'a b', '--exit'])
    assert.equal(said.pid, child.pid)
    await once(child, 'exit')
  }
})
