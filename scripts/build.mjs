/**
 * `npm run build`      -> dist/peerstor.mjs, one file for Node 24.7 or later
 * `npm run pack`       -> dist/package/, the folder that is published
 * `npm run build:exe`  -> dist/peerstor, a program that brings its own Node (needs Node 26)
 * `node scripts/build.mjs --ui-only` builds the web page alone.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { buildUi } from './build-ui.mjs'
import { continueOnPinned, isProgram, main, root, run, ScriptError } from './runtime.mjs'
import { setUp } from './setup.mjs'

/** Packages with native code; the program runs without them too, more slowly. */
const native = ['@napi-rs/blake-hash']

/**
 * Bundles a program into one file.
 * @param {string} input path of its main module
 * @param {string} file path of the bundle
 * @param {import('rolldown').Plugin[]} [plugins]
 */
export async function bundle(input, file, plugins = []) {
  const { build } = await import('rolldown')
  await build({
    input,
    platform: 'node',
    external: [/^node:/, ...native],
    plugins,
    // One file that also starts its worker threads, so nothing may be split off or loaded from beside it.
    output: { file, format: 'esm', codeSplitting: false, banner: '#!/usr/bin/env node' },
    logLevel: 'warn',
  })
  chmodSync(file, 0o755)
}

/**
 * Worker threads start from the program's own file, `new URL(import.meta.url)`. In a standalone program
 * that is no JavaScript: there they start from the copy of the bundle that is among its assets.
 * @type {import('rolldown').Plugin}
 */
const workersFromAsset = {
  name: 'workers-from-asset',
  renderChunk: (code) =>
    code
      .replace('\n', "\nimport { getAsset as assetOfProgram } from 'node:sea';\n")
      .replaceAll(ownFile, `new URL('data:text/javascript;base64,' + ${asset})`)
      .replaceAll('createRequire(import.meta.url)', 'createRequire(process.execPath)'),
}
const ownFile = 'new URL(import.meta.url)'
const asset = "Buffer.from(assetOfProgram('peerstor.mjs')).toString('base64')"

/** @param {string} file */
function done(file) {
  console.log(
    `${file.slice(root.length + 1).replaceAll('\\', '/')}  ${(statSync(file).size / 1e6).toFixed(2)} MB`,
  )
}

/** The published package: the bundle, and what cannot be in it as dependencies. */
async function makePackage() {
  const folder = join(root, 'dist/package')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  copyFileSync(join(root, 'dist/peerstor.mjs'), join(folder, 'peerstor.mjs'))
  const library = join(root, 'src/index.ts')
  if (existsSync(library)) await bundle(library, join(folder, 'index.mjs'))
  for (const name of ['README.md', 'LICENSE']) copyFileSync(join(root, name), join(folder, name))
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const manifest = {
    name: 'peerstor',
    version: own.version,
    description: own.description,
    license: own.license,
    type: 'module',
    bin: { peerstor: 'peerstor.mjs' },
    ...(existsSync(library) ? { exports: { '.': './index.mjs' } } : {}),
    engines: { node: '>=24.7' },
    dependencies: Object.fromEntries(native.map((name) => [name, own.dependencies[name]])),
    // Pictures of images; without it there are none.
    optionalDependencies: { sharp: own.optionalDependencies.sharp },
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
  done(join(folder, 'package.json'))
}

/**
 * The program with Node in one file.
 * @param {string} input path of its main module
 * @param {string} file without extension
 */
export async function makeExecutable(input, file) {
  if (Number(process.versions.node.split('.')[0]) < 26)
    throw new ScriptError(
      `a standalone program is built by Node 26 or later, this is ${process.versions.node}`,
    )
  const main = `${file}.sea.mjs`
  const settings = `${file}.sea.json`
  const output = process.platform === 'win32' ? `${file}.exe` : file
  await bundle(input, main, [workersFromAsset])
  const assets = { 'peerstor.mjs': main }
  writeFileSync(
    settings,
    JSON.stringify({ main, mainFormat: 'module', output, disableExperimentalSEAWarning: true, assets }),
  )
  const code = await run(process.execPath, ['--build-sea', settings], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  for (const made of [main, settings]) rmSync(made)
  if (code !== 0) throw new ScriptError('node --build-sea failed; its reason stands above')
  return output
}

if (isProgram(import.meta.url))
  await main(async () => {
    await setUp()
    await buildUi()
    if (process.argv.includes('--ui-only')) return
    await continueOnPinned(import.meta.url)
    const program = join(root, 'src/cli/main.ts')
    if (!existsSync(program)) throw new ScriptError('src/cli/main.ts does not exist')
    mkdirSync(join(root, 'dist'), { recursive: true })
    await bundle(program, join(root, 'dist/peerstor.mjs'))
    done(join(root, 'dist/peerstor.mjs'))
    if (process.argv.includes('--package')) await makePackage()
    if (process.argv.includes('--exe')) done(await makeExecutable(program, join(root, 'dist/peerstor')))
  })
