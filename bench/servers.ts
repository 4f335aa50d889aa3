/** More servers to compare with: samba, and bare node:http. */
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { answering, freePort, isThere, run, type Workplace } from './fixtures.ts'

export interface Samba {
  pid: number
  /** Runs smbclient's commands, `put FILE NAME; …`, from the folder `local`. */
  client(commands: string, local?: string): Promise<void>
}

/** smbd sharing a folder, as root; undefined where it or smbclient is not installed. */
export async function samba(workplace: Workplace, folder: string): Promise<Samba | undefined> {
  const own = join(workplace.folder, 'samba')
  await mkdir(own)
  const port = await freePort()
  const places = ['private', 'lock', 'state', 'cache', 'pid'].map((name) => `${name} directory = ${own}`)
  const config = join(own, 'smb.conf')
  await writeFile(
    config,
    `[global]\n${places.join('\n')}\nncalrpc dir = ${own}/ncalrpc\nlog file = ${own}/log\nsmb ports = ${port}
interfaces = 127.0.0.1\nbind interfaces only = yes\ndisable netbios = yes\nload printers = no
map to guest = Bad User\nguest account = root\n[share]\npath = ${folder}\nguest ok = yes\nread only = no\nforce user = root\n`,
  )
  // Detached, in a process group of its own: smbd ends its whole group with itself, the bench if it were in it.
  const options = { stdio: 'ignore', detached: true } as const
  const child = spawn('smbd', ['--foreground', '--no-process-group', '-s', config], options)
  if (!(await isThere(child, 'smbd'))) return undefined
  workplace.owns(child)
  const client = async (commands: string, local = folder): Promise<void> => {
    const address = ['//127.0.0.1/share', '-p', String(port), '-N', '-s', config]
    await run('smbclient', [...address, '-c', `prompt; recurse; ${commands}`], {
      cwd: local,
      maxBuffer: 2 ** 26,
    })
  }
  for (let tries = 0; tries < 100; tries++) {
    try {
      await client('ls')
      return { pid: child.pid!, client }
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') break
      await wait(100)
    }
  }
  console.error('smbclient is not installed, or smbd may not run here: compared without samba')
  return undefined
}

const nodeServer = `
const { createServer } = require('node:http'), { createReadStream } = require('node:fs'), { pipeline } = require('node:stream')
createServer((request, response) => request.url === '/' ? response.end() : pipeline(createReadStream(process.argv[1] + request.url), response, () => {}))
  .listen(Number(process.argv[2]), '127.0.0.1')
process.on('uncaughtException', () => {})`

/** A bare node:http server that streams plain files. */
export async function nodeStreams(
  workplace: Workplace,
  folder: string,
): Promise<{ url: string; pid: number }> {
  const port = await freePort()
  const child = spawn(process.execPath, ['-e', nodeServer, folder, String(port)], { stdio: 'ignore' })
  workplace.owns(child)
  await answering(`http://127.0.0.1:${port}/`)
  return { url: `http://127.0.0.1:${port}`, pid: child.pid! }
}
