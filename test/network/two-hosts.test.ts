/** Two hosts with addresses of their own on one bridge: nobody types an address, and nothing but mDNS tells the port. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../peer-fixture.ts'
import { needsTool } from '../tools.ts'
import { hostsOnOneBridge, whyNoHosts, type Host } from './hosts.ts'

test(
  'a device joins from another host, though the inviter came back at another port',
  needsTool('ip'),
  async (t) => {
    const reason = whyNoHosts()
    if (reason !== undefined) return t.skip(reason)
    const folder = await mkdtemp(join(tmpdir(), 'peerstor-hosts-'))
    t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
    const bridge = await hostsOnOneBridge({ names: ['a', 'b'], folder })
    t.after(() => bridge.close())
    const [a, b] = bridge.hosts as [Host, Host]
    await a.start('--peer-port', '9001')
    const { code } = await a.json<{ code: string }>('invite')
    await a.stop()
    await a.start('--peer-port', '9002')
    await b.start('--join', code)
    const { mdns } = await b.json<{ mdns: { name: string; addresses: string[] }[] }>('discover')
    assert.deepEqual(
      mdns.map(({ name, addresses }) => [name, addresses[0]]),
      [['a', '/ip4/10.77.0.1/tcp/9002']],
    )
    await writeFile(join(folder, 'file'), 'over the bridge\n')
    await b.json('put', join(folder, 'file'))
    await eventually('a reads it', async () => {
      const { copies } = await a
        .json<{ copies?: { have: number } }>('info', 'files/file')
        .catch(() => ({ copies: undefined }))
      return copies?.have === 2
    })
    const { url } = await a.json<{ url: string }>('status')
    assert.match(url, /^http:\/\/10\.77\.0\.1:/)
  },
)
