import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { mutants } from './mutants.ts'

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** What noticed the mistake; fails when nothing did. */
async function noticed(name: string): Promise<{ seed: number; property: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = ['--import', new URL('mutate.ts', import.meta.url).href, here('run-mutant.ts')]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...env, PEERSTOR_MUTANT: name },
  })
  assert.notEqual(stdout, '', `no property noticed ${name}`)
  return JSON.parse(stdout) as { seed: number; property: string }
}

test('the simulator notices every kept mistake', { concurrency: 2 }, async (t) => {
  assert.ok(mutants.length >= 10)
  await Promise.all(
    mutants.map(({ name }) =>
      t.test(name, async (t) => {
        const { seed, property } = await noticed(name)
        t.diagnostic(`seed ${seed}: ${property}`)
      }),
    ),
  )
})
