import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { bundle, makeExecutable } from '../../scripts/build.mjs'

/** A program of two modules that starts a worker thread from its own file. */
function makeProgram(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'peerstor-build-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'name.ts'), `export const name: string = 'peer'`)
  writeFileSync(
    join(folder, 'main.ts'),
    `import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
     import { name } from './name.ts'
     if (isMainThread) {
       const worker = new Worker(new URL(import.meta.url), { workerData: { role: 'codec' } })
       worker.on('message', (text: string) => console.log(name, process.argv.slice(2).join(' '), text))
     } else parentPort!.postMessage(\`\${workerData.role} of \${name}\`)`,
  )
  return folder
}

test('the bundle is one file that starts its own worker threads', async (t) => {
  const folder = makeProgram(t)
  const file = join(folder, 'out.mjs')
  await bundle(join(folder, 'main.ts'), file)
  for (const name of ['main.ts', 'name.ts']) rmSync(join(folder, name))
  assert.equal(execFileSync(process.execPath, [file, 'a'], { encoding: 'utf8' }), 'peer a codec of peer\n')
})

const ownNode = Number(process.versions.node.split('.')[0]) < 26 ? { skip: 'needs Node 26' } : {}

test('the standalone program starts its worker threads without any file', ownNode, async (t) => {
  const folder = makeProgram(t)
  const program = await makeExecutable(join(folder, 'main.ts'), join(folder, 'program'))
  for (const name of ['main.ts', 'name.ts']) rmSync(join(folder, name))
  assert.equal(execFileSync(program, ['a'], { encoding: 'utf8' }), 'peer a codec of peer\n')
})
