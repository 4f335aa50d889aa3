/** What the workloads of whole peers share: input files, commands, other people's servers to compare with. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { PeerProcess } from '../src/cli/peer-process.ts'
import { program } from '../test/program.ts'

export const MiB = 2 ** 20
export const GiB = 2 ** 30
/** Of the large file that goes up and down. */
export const largeBytes = Number(process.env['PEERSTOR_BENCH_BYTES'] ?? GiB)

/** Runs a program to its end; fails when it does. */
export const run = promisify(execFile)

export interface Workplace {
  folder: string
  /** A new peer in this folder, started; it leaves with the workplace. */
  peer(name: string, joinCode?: string): Promise<PeerProcess>
  /** Ends a server when the workplace closes. */
  owns(child: ChildProcess): void
  close(): Promise<void>
}

export async function makeWorkplace(): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), 'peerstor-bench-'))
  const peers: PeerProcess[] = []
  const children: ChildProcess[] = []
  return {
    folder,
    async peer(name, joinCode) {
      const settings = ['--no-mdns', '--contribute', '40GB', '--log', 'warn']
      const peer = new PeerProcess(program, name, join(folder, name), settings)
      peers.push(peer)
      await peer.start(undefined, joinCode)
      return peer
    },
    owns: (child) => children.push(child),
    async close() {
      await Promise.all(peers.map((peer) => peer.stop()))
      for (const child of children) child.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A file of random bytes, durable before it resolves. */
export async function randomFile(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w')
  const block = Buffer.alloc(4 * MiB)
  for (let written = 0; written < bytes; written += block.length)
    await file.write(randomFillSync(block), 0, Math.min(block.length, bytes - written))
  await file.sync()
  await file.close()
}

/** Removes everything from a peer for good, so that the next round seals and stores again. */
export async function startedOver(workplace: Workplace, peer: PeerProcess): Promise<void> {
  await peer.stop()
  await rm(peer.home, { recursive: true, force: true })
  await peer.start()
  await rm(join(workplace.folder, 'out'), { force: true })
}

export async function curlUp(url: string, file: string, token?: string): Promise<void> {
  const headers = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]
  await run('curl', [
    '-sS',
    '--fail-with-body',
    '-H',
    'Expect:',
    ...headers,
    '-T',
    file,
    '-o',
    '/dev/null',
    url,
  ])
}

export async function curlDown(url: string, file: string, token?: string): Promise<void> {
  const headers = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]
  await run('curl', ['-sS', '--fail', ...headers, '-o', file, url])
}

/** Whether a program was started; says so when it is not installed: its contender is then left out. */
export async function isThere(child: ChildProcess, name: string): Promise<boolean> {
  try {
    await once(child, 'spawn')
    return true
  } catch {
    console.error(`${name} is not installed: compared without it`)
    return false
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

export async function answering(url: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return
    await wait(100)
  }
  throw new Error(`${url} does not answer`)
}

/** `rclone serve webdav` of a folder; undefined where rclone is not installed. */
export async function rcloneWebdav(
  workplace: Workplace,
  folder: string,
): Promise<{ url: string; pid: number } | undefined> {
  const port = await freePort()
  const child = spawn('rclone', ['serve', 'webdav', folder, '--addr', `127.0.0.1:${port}`], {
    stdio: 'ignore',
  })
  if (!(await isThere(child, 'rclone'))) return undefined
  workplace.owns(child)
  await answering(`http://127.0.0.1:${port}/`)
  return { url: `http://127.0.0.1:${port}`, pid: child.pid! }
}

/** nginx serving a folder's plain files, and taking them by PUT; undefined where nginx is not installed. */
export async function nginx(
  workplace: Workplace,
  folder: string,
): Promise<{ url: string; pid: number } | undefined> {
  const port = await freePort()
  const config = join(workplace.folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${workplace.folder}/nginx;`,
  )
  await writeFile(
    config,
    `user root; daemon off; master_process off; pid ${workplace.folder}/nginx.pid; error_log ${workplace.folder}/nginx.log; events {}
     http { access_log off; sendfile on; ${temporary.join(' ')} server { listen 127.0.0.1:${port}; root ${folder};
       location / { dav_methods PUT; create_full_put_path on; client_max_body_size 0; } } }`,
  )
  const child = spawn('nginx', ['-c', config], { stdio: 'ignore' })
  if (!(await isThere(child, 'nginx'))) return undefined
  workplace.owns(child)
  await answering(`http://127.0.0.1:${port}/`)
  return { url: `http://127.0.0.1:${port}`, pid: child.pid! }
}
