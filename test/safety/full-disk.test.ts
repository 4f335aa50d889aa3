/** Disks, contributions and log files that fill: refused in time, nothing lost, well again when space returns. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, rmSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { PeerProcess, runToEnd } from '../../src/cli/peer-process.ts'
import { eventually, temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

const MiB = 2 ** 20
const canMount = process.platform === 'linux' && process.getuid?.() === 0
const asRoot = canMount ? {} : { skip: 'only root on Linux can mount a small disk' }

/** A disk of `size` bytes in memory, gone with the test. */
async function smallDisk(t: TestContext, size: number): Promise<string> {
  const disk = await mkdtemp(join(tmpdir(), 'peerstor-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', disk])
  t.after(() => {
    execFileSync('umount', ['-l', disk])
    rmdirSync(disk)
  })
  return disk
}

/** Takes all space of a disk but `left` bytes. */
function fill(disk: string, left = 0): void {
  const { bavail, bsize } = statfsSync(disk)
  try {
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - left), 1))
  } catch (thrown) {
    // The peer took some of it meanwhile: the disk is as full as it was to be.
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown
  }
}

const makeRoom = (disk: string): void => rmSync(join(disk, 'ballast'), { force: true })

interface Answer {
  status: number
  /** Whether the peer asked for the body. */
  continued: boolean
  sent: number
  code: string | undefined
  message: string
}

/** `PUT` of `size` bytes in pieces of 1 MiB that stops as soon as an answer is there. */
function put(
  peer: PeerProcess,
  path: string,
  size: number,
  { known = true, bytes }: { known?: boolean; bytes?: Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let continued = false
    let sent = 0
    let answered = false
    const asked = request(`${peer.started.url}/files/${path}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${peer.started.token}`,
        expect: '100-continue',
        ...(known ? { 'content-length': size } : {}),
      },
    })
    asked.on('error', (error) => (answered ? undefined : reject(error)))
    asked.on('response', (response) => {
      answered = true
      const parts: Buffer[] = []
      const done = (): void => {
        const text = Buffer.concat(parts).toString()
        const { code, message = '' } = JSON.parse(text || '{}') as { code?: string; message?: string }
        resolve({ status: response.statusCode ?? 0, continued, sent, code, message })
        asked.destroy()
      }
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', done)
      response.on('error', done)
    })
    asked.on('continue', () => {
      continued = true
      const next = (): void => {
        while (sent < size) {
          if (answered) return
          const piece = bytes?.subarray(sent, sent + MiB) ?? randomBytes(Math.min(MiB, size - sent))
          sent += piece.length
          if (!asked.write(piece)) return void asked.once('drain', next)
        }
        if (!answered) asked.end()
      }
      next()
    })
    asked.flushHeaders()
  })
}

async function get(peer: PeerProcess, path: string): Promise<Buffer> {
  const response = await fetch(`${peer.started.url}/files/${path}`, {
    headers: { authorization: `Bearer ${peer.started.token}` },
  })
  assert.equal(response.status, 200, path)
  return Buffer.from(await response.arrayBuffer())
}

async function startOn(t: TestContext, home: string, ...settings: string[]): Promise<PeerProcess> {
  const peer = new PeerProcess(program, 'full', home, ['--no-mdns', ...settings])
  t.after(() => peer.kill())
  await peer.start()
  return peer
}

test(
  'a disk that fills refuses in time, keeps what it has, and goes on when space returns',
  asRoot,
  async (t) => {
    const disk = await smallDisk(t, 220 * MiB)
    const peer = await startOn(t, join(disk, 'home'), '--contribute', '50GB')
    const old = randomBytes(9 * MiB)
    assert.equal((await put(peer, 'files/old', old.length, { bytes: old })).status, 201)

    const early = await put(peer, 'files/large', 300 * MiB)
    assert.deepEqual([early.status, early.code, early.continued], [507, 'DISK_FULL', false], early.message)
    assert.ok((await get(peer, 'files/old')).equals(old))

    fill(disk)
    for (const size of [0, 10, 100_000, 3 * MiB]) {
      const answer = await put(peer, 'files/small', size)
      assert.deepEqual([answer.status, answer.code], [507, 'DISK_FULL'], `${size} bytes: ${answer.message}`)
    }
    assert.ok((await get(peer, 'files/old')).equals(old))
    const listed = await runToEnd(program, ['ls', '-r', 'files', '--json', '--home', peer.home])
    assert.deepEqual(
      (JSON.parse(listed.stdout) as { entries: { path: string }[] }).entries.map(({ path }) => path),
      ['files/old'],
    )
    for (const command of [
      ['rm', 'files/old'],
      ['token', 'create'],
      ['config', 'set', 'name', 'other'],
      ['invite'],
    ]) {
      const { code, stderr } = await runToEnd(program, [...command, '--home', peer.home])
      assert.equal(code, 1, command.join(' '))
      assert.match(stderr, /\[DISK_FULL\]/, command.join(' '))
    }
    assert.equal((await fetch(`${peer.started.url}/health`)).status, 200)

    makeRoom(disk)
    await eventually('a put', async () => (await put(peer, 'files/new', 3 * MiB)).status === 201)
    assert.ok((await get(peer, 'files/old')).equals(old))

    fill(disk)
    await peer.kill()
    await peer.start().catch((thrown: unknown) => assert.match(String(thrown), /DISK_FULL/))
    makeRoom(disk)
    await peer.kill()
    await peer.start()
    assert.ok((await get(peer, 'files/old')).equals(old))
    assert.equal((await get(peer, 'files/new')).length, 3 * MiB)

    const late = await put(peer, 'files/endless', 300 * MiB, { known: false })
    assert.deepEqual([late.status, late.code], [507, 'DISK_FULL'], late.message)
    assert.ok(late.sent < 250 * MiB, `${late.sent} bytes were sent to a full disk`)
    assert.ok((await get(peer, 'files/old')).equals(old))
  },
)

test('an index database and a log file that fill lose nothing and recover', asRoot, async (t) => {
  const disk = await smallDisk(t, 40 * MiB)
  const storage = join(await temporaryFolder(t), 'segments')
  const log = join(disk, 'log')
  const peer = await startOn(t, join(disk, 'home'), '--storage', storage, '--log-file', log, '--log', 'debug')
  const kept = new Map<string, Buffer>()
  const write = async (path: string, size: number): Promise<Answer> => {
    const bytes = randomBytes(size)
    const answer = await put(peer, path, size, { bytes })
    if (answer.status === 201) kept.set(path, bytes)
    else assert.deepEqual([answer.status, answer.code], [507, 'DISK_FULL'], answer.message)
    return answer
  }
  await write('files/first', 5000)
  fill(disk)
  let refused = 0
  for (let number = 0; number < 20; number += 1)
    if ((await write(`files/full-${number}`, 2000)).status === 507) refused += 1
  for (const [path, bytes] of kept) assert.ok((await get(peer, path)).equals(bytes), path)
  makeRoom(disk)
  await eventually('a put', async () => (await write('files/after', 5000)).status === 201)
  for (const [path, bytes] of kept) assert.ok((await get(peer, path)).equals(bytes), path)
  await peer.kill()
  await peer.start()
  for (const [path, bytes] of kept) assert.ok((await get(peer, path)).equals(bytes), path)
  t.diagnostic(`${refused} of 20 refused`)
})

test('a contribution that is full says so in numbers', async (t) => {
  const folder = await temporaryFolder(t)
  const peer = await startOn(t, join(folder, 'home'))
  const limit = (size: string): ReturnType<typeof runToEnd> =>
    runToEnd(program, ['quota', 'set', size, '--home', peer.home])
  assert.equal((await limit('20MB')).code, 0)
  const early = await put(peer, 'files/large', 30 * MiB)
  assert.deepEqual([early.status, early.code, early.continued], [507, 'QUOTA_FULL', false], early.message)
  assert.match(early.message, /20971520/)
  assert.match(early.message, /31457280/)
  const bytes = randomBytes(30 * MiB)
  const late = await put(peer, 'files/large', bytes.length, { known: false, bytes })
  assert.deepEqual([late.status, late.code], [507, 'QUOTA_FULL'], late.message)
  assert.equal((await limit('80MB')).code, 0)
  const again = await put(peer, 'files/large', bytes.length, { bytes })
  assert.equal(again.status, 201, again.message)
})

test('a log that leads to a full device stops nothing', { skip: process.platform !== 'linux' }, async (t) => {
  const home = join(await temporaryFolder(t), 'home')
  const full = openSync('/dev/full', 'w')
  const place = ['--home', home, '--host', '127.0.0.1', '--port', '0', '--peer-port', '0']
  const child = spawn(
    process.execPath,
    [...program, 'start', '--json', '--no-mdns', '--debug', '--log-file', '/dev/full', ...place],
    { stdio: ['ignore', 'pipe', full] },
  )
  closeSync(full)
  t.after(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'close')
  })
  const [line] = (await Promise.race([
    once(child.stdout!, 'data'),
    once(child, 'close').then(() => assert.fail('the peer ended')),
  ])) as [Buffer]
  const { url } = JSON.parse(line.toString()) as { url: string }
  assert.equal((await fetch(`${url}/health`)).status, 200)
  assert.equal((await fetch(`${url}/files/files/none`)).status, 401)
  assert.equal((await fetch(`${url}/health`)).status, 200)
})
