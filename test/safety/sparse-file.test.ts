/** A file of five gigabytes that no disk has to hold: memory does not grow with it. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { PeerProcess, runToEnd } from '../../src/cli/peer-process.ts'
import { temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

const onLinux = process.platform === 'linux' ? {} : { skip: 'memory is read from /proc' }

test('a file of 5 GiB of nothing is put and read back in little memory', onLinux, async (t) => {
  const folder = await temporaryFolder(t)
  const peer = new PeerProcess(program, 'sparse', join(folder, 'home'))
  t.after(() => peer.kill())
  await peer.start()
  const run = (...args: string[]): ReturnType<typeof runToEnd> =>
    runToEnd(program, [...args, '--home', peer.home])
  const sparse = join(folder, 'sparse')
  const bytes = 5 * 2 ** 30
  writeFileSync(sparse, '')
  truncateSync(sparse, bytes)
  const peak = watchMemory(peer.pid ?? 0)
  assert.equal((await run('put', sparse)).code, 0)
  const used = peak()
  t.diagnostic(`peak ${Math.round(used / 2 ** 20)} MiB`)
  assert.ok(used < 350 * 2 ** 20, `${used} bytes at the peak`)
  assert.equal((await peer.json<{ size: number }>(['info', 'files/sparse'])).size, bytes)
  assert.equal(
    (await run('get', 'files/sparse', '--range', `${bytes - 5}-${bytes}`, '-o', '-')).stdout,
    '\0'.repeat(5),
  )
})

/** Peak of a process's own memory since the call. */
function watchMemory(pid: number): () => number {
  let most = 0
  const look = (): void => {
    const status = existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : ''
    most = Math.max(most, Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024)
  }
  const timer = setInterval(look, 100)
  return () => {
    clearInterval(timer)
    look()
    return most
  }
}
