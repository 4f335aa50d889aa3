/**
 * Builds the browser app (`ui/`, a Vite project) and embeds it as `src/api/assets.generated.ts`, whose
 * first line names the hash of the sources it was made from: an unchanged app is not built again.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { root, run, pinnedNode, ScriptError } from './runtime.mjs'

const source = join(root, 'ui')
const built = join(root, 'ui/dist')
const generated = join(root, 'src/api/assets.generated.ts')

/** @type {Record<string, string>} */
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
}

/** Builds and embeds the app when its sources have changed; nothing when there is none. */
export async function buildUi() {
  if (!existsSync(join(source, 'index.html')) || uiIsCurrent()) return
  console.error('build: the web page …')
  const code = await run(pinnedNode(), [
    join(root, 'node_modules/vite/bin/vite.js'),
    'build',
    source,
    '--emptyOutDir',
    '--logLevel=warn',
  ])
  if (code !== 0) throw new ScriptError('the web page could not be built; the reason stands above')
  mkdirSync(dirname(generated), { recursive: true })
  writeFileSync(generated, embed())
}

/** Whether the embedded app was made from the sources as they are. */
export function uiIsCurrent() {
  return existsSync(generated) && readFileSync(generated, 'utf8').startsWith(firstLine())
}

const firstLine = () => `// Made by scripts/build-ui.mjs from ui/ ${sourceHash()}\n`

/** Hash over names and bytes of all sources; line ends do not count, so that a checkout on Windows agrees. */
function sourceHash() {
  const hash = createHash('sha256')
  for (const name of filesUnder(source).filter(
    (name) => !/^(dist|node_modules)\//.test(name) && !/\.test\.tsx?$/.test(name),
  ))
    hash.update(`${name}\0${readFileSync(join(source, name), 'latin1').replaceAll('\r\n', '\n')}\0`, 'latin1')
  return hash.digest('hex').slice(0, 32)
}

/** One module: path -> content type, entity tag and Brotli-compressed bytes. */
function embed() {
  const rows = filesUnder(built).map((name) => {
    const type = types[extname(name)]
    if (type === undefined)
      throw new ScriptError(`ui/dist/${name}: scripts/build-ui.mjs knows no content type for it`)
    const bytes = readFileSync(join(built, name))
    const etag = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } })
    return `  '/${name}': { type: '${type}', etag: '"${etag}"', size: ${bytes.length}, brotli: '${brotli.toString('base64')}' },\n`
  })
  return `${firstLine()}export interface Asset {
  type: string
  etag: string
  /** Length of the plain bytes. */
  size: number
  /** Base64 of the Brotli-compressed bytes. */
  brotli: string
}

export const assets: Record<string, Asset> = {
${rows.join('')}}
`
}

/** Paths of all files under a folder, with forward slashes, sorted. @param {string} folder @returns {string[]} */
export function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((item) =>
      item.isDirectory()
        ? filesUnder(join(folder, item.name)).map((name) => `${item.name}/${name}`)
        : [item.name],
    )
    .sort()
}
