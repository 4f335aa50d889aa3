/** A small clone in a temporary folder: the scripts, the pinned Node, and a program in place of the peer. */
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { pinnedNode, root } from '../../scripts/runtime.mjs'

/** Makes the clone, with `main` as its src/cli/main.ts; it is removed after the test. */
export function makeClone(t: TestContext, main: string): string {
  const clone = mkdtempSync(join(tmpdir(), 'peerstor-clone-'))
  t.after(() => rmSync(clone, { recursive: true, force: true }))
  for (const name of ['bin', 'scripts', 'package.json', 'package-lock.json'])
    cpSync(join(root, name), join(clone, name), { recursive: true })
  mkdirSync(join(clone, 'src/cli'), { recursive: true })
  writeFileSync(join(clone, 'src/cli/main.ts'), main)
  installed(clone)
  return clone
}

/** node_modules as after an installation, but with nothing in it except the pinned Node. */
function installed(clone: string): void {
  const modules = join(clone, 'node_modules')
  mkdirSync(modules)
  const lock = readFileSync(join(clone, 'package-lock.json'), 'utf8')
  writeFileSync(join(modules, '.package-lock.json'), '{}')
  writeFileSync(join(modules, '.peerstor-setup'), createHash('sha256').update(lock).digest('hex'))
  const runtime = dirname(dirname(pinnedNode()))
  if (runtime.startsWith(join(root, 'node_modules')))
    symlinkSync(runtime, join(modules, runtime.slice(join(root, 'node_modules').length + 1)), 'junction')
}
