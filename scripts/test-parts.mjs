/** Which test file belongs to which part of `npm test`: a folder with all below it, or one file. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { filesUnder } from './build-ui.mjs'
import { root, ScriptError } from './runtime.mjs'

/** `alone`: one file at a time, because its tests start many processes. @type {Record<string, {owns: string[], alone?: boolean}>} */
export const parts = {
  // The simulator's seeds are shared out: core and files have time left.
  core: {
    owns: [
      'src/base/',
      'src/codec/',
      'src/store/',
      'src/access/',
      'test/core/',
      'test/sim/seeds-1.test.ts',
      'test/sim/seeds-51.test.ts',
      'test/scripts/',
      'test/repository.test.ts',
      'test/manual-clock.test.ts',
    ],
  },
  files: {
    owns: [
      'src/files/',
      'src/peer/',
      'test/files/',
      'test/sim/seeds-101.test.ts',
      'test/sim/seeds-151.test.ts',
    ],
  },
  safety: {
    owns: ['test/safety/', 'test/sim/simulation.test.ts', 'test/sim/mutants.test.ts'],
  },
  network: {
    owns: [
      'src/net/',
      'src/pool/',
      'test/network/',
      'test/peer-authorisation.test.ts',
      'test/sim/retire.test.ts',
      'test/sim/collect.test.ts',
    ],
  },
  faces: { owns: ['src/api/', 'src/cli/', 'test/faces/', 'ui/', 'bench/'], alone: true },
}
export const partNames = Object.keys(parts)

/** All test files of the clone, sorted. */
export function findTests() {
  return ['bench', 'src', 'test', 'ui']
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => filesUnder(join(root, folder)).map((name) => `${folder}/${name}`))
    .filter((file) => /\.test\.tsx?$/.test(file) && !/\/(node_modules|dist)\//.test(file))
}

/** The one part that owns a test file; an error when none or several do. @param {string} file */
export function partOf(file) {
  const owners = partNames.filter((name) =>
    parts[name]?.owns.some((place) => (place.endsWith('/') ? file.startsWith(place) : file === place)),
  )
  const [owner] = owners
  if (owner === undefined || owners.length > 1)
    throw new ScriptError(
      `${file} belongs to ${owners.length === 0 ? 'no part' : `the parts ${owners.join(', ')}`}: ` +
        'move it, or change the table in scripts/test-parts.mjs',
    )
  return owner
}
