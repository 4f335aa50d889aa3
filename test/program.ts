/** The program under test, as `PeerProcess` starts it: from source, with the Node that runs the tests. */
import { fileURLToPath } from 'node:url'
import { nodeFlags } from '../scripts/runtime.mjs'
import type { Program } from '../src/cli/peer-process.ts'

export const program: Program = [...nodeFlags, fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))]
