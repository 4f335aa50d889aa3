/** Whole peers as processes on loopback, and trees of files to compare. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { PeerProcess, runToEnd, type CommandResult } from '../../src/cli/peer-process.ts'
import type { DeviceLine, PeerLine, PeerStatus } from '../../src/peer/peer.ts'
import { eventually } from '../peer-fixture.ts'
import { program } from '../program.ts'

export { eventually } from '../peer-fixture.ts'

const quiet = ['--contribute', '2GB', '--log', 'error']

/** The peers of one test, in a folder of their own; all end with the test. */
export class Peers {
  readonly folder: string
  readonly #peers: PeerProcess[] = []

  private constructor(folder: string) {
    this.folder = folder
  }

  static async make(t: TestContext): Promise<Peers> {
    const peers = new Peers(await mkdtemp(join(tmpdir(), 'peerstor-join-')))
    t.after(async () => {
      await Promise.all(peers.#peers.map((peer) => peer.kill()))
      await rm(peers.folder, { recursive: true, force: true, maxRetries: 3 })
    })
    return peers
  }

  /** Not started yet. */
  peer(name: string, settings: readonly string[] = ['--no-mdns']): PeerProcess {
    const peer = new PeerProcess(program, name, this.home(name), [...quiet, ...settings])
    this.#peers.push(peer)
    return peer
  }

  home(name: string): string {
    return join(this.folder, name)
  }

  async started(name: string, settings?: readonly string[], code?: string): Promise<PeerProcess> {
    const peer = this.peer(name, settings)
    await peer.start(undefined, code)
    return peer
  }

  /** A pool: the first makes it, the others join with its codes. */
  async pool(...names: string[]): Promise<PeerProcess[]> {
    const first = await this.started(names[0]!)
    const others = []
    for (const name of names.slice(1)) others.push(await this.started(name, undefined, await codeOf(first)))
    return [first, ...others]
  }
}

export async function codeOf(peer: PeerProcess, ...args: string[]): Promise<string> {
  return (await peer.json<{ code: string }>(['invite', ...args])).code
}

export const statusOf = (peer: PeerProcess): Promise<PeerStatus> => peer.json<PeerStatus>(['status'])

export async function peersOf(peer: PeerProcess): Promise<PeerLine[]> {
  return (await peer.json<{ peers: PeerLine[] }>(['peers'])).peers
}

export async function devicesOf(peer: PeerProcess): Promise<DeviceLine[]> {
  return (await peer.json<{ devices: DeviceLine[] }>(['device', 'list'])).devices
}

/** A command that must fail with exit code 1 and this catalogue error; gives its text and next step. */
export async function refusal(
  code: string,
  peer: Pick<PeerProcess, 'home'>,
  ...args: string[]
): Promise<{ message: string; next: string }> {
  return errorOf(await runToEnd(program, [...args, '--home', peer.home, '--json']), code)
}

/** A start that must fail; its home comes with `peers.home(name)`. */
export async function refusedStart(
  code: string,
  home: string,
  ...args: string[]
): Promise<{ message: string; next: string }> {
  const place = ['--home', home, '--host', '127.0.0.1', '--port', '0', '--peer-port', '0', '--no-mdns']
  return errorOf(await runToEnd(program, ['start', '--json', ...place, ...quiet, ...args]), code)
}

function errorOf({ code, stderr }: CommandResult, expected: string): { message: string; next: string } {
  assert.equal(code, 1, stderr)
  const line = stderr.split('\n').findLast((text) => text.startsWith('{"error"')) ?? '{}'
  const { error } = JSON.parse(line) as { error?: { code: string; message: string; next: string } }
  assert.equal(error?.code, expected, stderr)
  return error as { message: string; next: string }
}

export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

const roles = new Set(['admin', 'member', 'storage'])

/** Waits until `peer` counts `count` devices and is connected to all of them. */
export async function connectedTo(peer: PeerProcess, count: number): Promise<void> {
  await reaches(`${peer.name} is connected to all ${count} devices`, async () => {
    const members = (await peersOf(peer)).filter(({ role }) => roles.has(role))
    const connected = members.filter(({ state }) => state === 'self' || state === 'online')
    return [members.length === count && connected.length === count, members]
  })
}

/** Every file of the pool has all its wanted copies, as `peer` sees it. */
export async function safeFiles(peer: PeerProcess, count: number): Promise<void> {
  await reaches(`${count} safe files on ${peer.name}`, async () => {
    const { safety } = await statusOf(peer)
    return [safety.safe === count && safety.degraded === 0 && safety.lost === 0, safety]
  })
}

/** `eventually` that tells what it saw last. The time is for a machine that does much else. */
async function reaches(what: string, look: () => Promise<[boolean, unknown]>): Promise<void> {
  let seen: unknown
  const holds = async (): Promise<boolean> => {
    const [is, found] = await look()
    seen = found
    return is
  }
  await eventually(what, holds, 40_000).catch((thrown: unknown) =>
    assert.fail(`${String(thrown)}: ${JSON.stringify(seen, undefined, 1)}`),
  )
}

/** A small tree with everything that has to come along: nesting, an empty file and folder, a link, 3 MB. */
export async function makeTree(folder: string): Promise<void> {
  await mkdir(join(folder, 'deep/er'), { recursive: true })
  await mkdir(join(folder, 'empty-folder'))
  await writeFile(join(folder, 'small.txt'), 'small\n')
  await writeFile(join(folder, 'empty'), '')
  await writeFile(join(folder, 'deep/er/large'), numbered(3_000_000))
  for (let count = 0; count < 20; count += 1)
    await writeFile(join(folder, `deep/file-${count}`), numbered(10_000 + count))
  if (process.platform !== 'win32') await symlink('../small.txt', join(folder, 'deep/link'))
}

/** Bytes that repeat nowhere. */
export function numbered(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE((at * 2654435761 + size) >>> 0, at)
  return bytes
}

/** What lies below a folder: files by content, links by target, folders by name. */
export async function treeOf(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const line of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(line.parentPath, line.name)
    const name = path.slice(folder.length + 1)
    if (line.isSymbolicLink()) found.set(name, `-> ${await readlink(path)}`)
    else if (line.isDirectory()) found.set(name, 'folder')
    else found.set(name, (await readFile(path)).toString('base64'))
  }
  return new Map([...found].toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
