/**
 * The program. Worker threads start from this file too (a bundle is one file): they load their part
 * and nothing else.
 */
import { isMainThread } from 'node:worker_threads'
import { keepYoungMemorySmall } from './young-memory.ts'

if (isMainThread) {
  keepYoungMemorySmall()
  const { runMain } = await import('./run-main.ts')
  await runMain(process.argv.slice(2))
} else await import('../peer/threads.ts')
