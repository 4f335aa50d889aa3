/**
 * The program. Worker threads and the process that decodes images start from this file too (a bundle
 * is one file): they load their part and nothing else.
 */
import { isMainThread } from 'node:worker_threads'
import { keepYoungMemorySmall } from './young-memory.ts'

const isProgram = isMainThread && process.env['PEERSTOR_ROLE'] === undefined

if (isProgram) {
  keepYoungMemorySmall()
  const { runMain } = await import('./run-main.ts')
  await runMain(process.argv.slice(2))
} else await import('../peer/threads.ts')
