/** Every test of Debian's `litmus` against a folder of a real peer. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import test from 'node:test'
import { promisify } from 'node:util'
import { type WebFaceFixture, startFixture } from '../../src/api/web-face.fixture.ts'
import { temporaryFolder } from '../peer-fixture.ts'
import { findTool, needsTool } from '../tools.ts'

const run = promisify(execFile)

for (const part of ['basic', 'copymove', 'props', 'locks', 'http'])
  test(`litmus: ${part}`, needsTool('litmus'), async (t) => {
    const web = await startFixture(t)
    const url = `http://127.0.0.1:${web.face.port}/dav/files/`
    const { stdout } = await run(findTool('litmus')!, [url, 'any', await passwordFor(web)], {
      cwd: await temporaryFolder(t),
      env: { ...process.env, TESTS: part },
    }).catch((thrown: { stdout?: string }) => ({ stdout: thrown.stdout ?? 'litmus did not run' }))
    assert.match(stdout, /^<- summary for `\w+': of \d+ tests run: \d+ passed, 0 failed\. 100\.0%$/m, stdout)
    assert.doesNotMatch(stdout, /SKIPPED|WARNING|FAIL/, stdout)
  })

/** litmus takes a password that begins with - for an option. */
async function passwordFor(web: WebFaceFixture): Promise<string> {
  for (;;) {
    const token = await web.tokenWith(['write'])
    if (!token.startsWith('-')) return token
  }
}
