import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { keptPort } from './kept-port.ts'

test('the port of last time is read again; anything else counts as none', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'peerstor-port-'))
  t.after(() => rm(home, { recursive: true }))
  const kept = keptPort(home)
  assert.equal(await kept.read(), undefined)
  await kept.write(43_210)
  assert.equal(await keptPort(home).read(), 43_210)
  for (const wrong of ['', '0', '-1', '65536', '80.5', 'no port', '43210 43211']) {
    await writeFile(join(home, 'peer-port'), wrong)
    assert.equal(await kept.read(), undefined, wrong)
  }
})
