/** What holds for the repository as a whole: rooms, words on pages, packages, and the checks of every tool. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'
import { uiIsCurrent } from '../scripts/build-ui.mjs'
import { errorsPage } from '../scripts/errors-doc.mjs'
import { root } from '../scripts/runtime.mjs'
import { findTests, partOf } from '../scripts/test-parts.mjs'
import { catalogue } from '../src/base/errors.ts'
import { importsOf, textFiles } from './source-files.ts'

/** docs/ARCHITECTURE.md, "Rooms": what each room may import. Rooms on one row do not know each other. */
const mayImport: Record<string, readonly string[]> = {
  base: [],
  codec: ['base'],
  net: ['codec', 'base'],
  store: ['codec', 'base'],
  pool: ['net', 'store', 'codec', 'base'],
  access: ['store', 'codec', 'base'],
  files: ['access', 'pool', 'store', 'codec', 'base'],
  peer: ['files', 'access', 'pool', 'net', 'store', 'codec', 'base'],
  api: ['peer', 'base'],
  cli: ['api', 'peer', 'codec', 'base'],
}

/** Packages and modules that belong to one room. */
const belongsTo: readonly [RegExp, string][] = [
  [/^(libp2p|@libp2p\/.*|@multiformats\/.*|multicast-dns)$/, 'net'],
  [/^node:sqlite$/, 'store'],
  [/^(@napi-rs\/blake-hash|blake3-jit|cborg|@noble\/.*)(\/|$)/, 'codec'],
]

/** Names of node:crypto that may be used outside codec/, and why; all other cryptography is called there. */
const freeCrypto: Record<string, readonly string[]> = {
  // Compares without telling by its time how much was right.
  '': ['timingSafeEqual'],
  'src/base/random.ts': ['randomBytes', 'randomFillSync'],
  // Digests that HTTP headers ask for, and those the demo shows: no key depends on them.
  'src/api/digest.ts': ['createHash'],
  'src/cli/demo.ts': ['createHash'],
  // Stands for names in a cache that is no secret and trusted by nobody else.
  'src/cli/stat-cache.ts': ['createHash'],
  // libp2p's own key, in the form libp2p wants; options of TLS.
  'src/net/peer-key.ts': ['createPrivateKey', 'createPublicKey'],
  'src/net/lane.ts': ['constants'],
}

const files = textFiles()
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const sources = files.filter((file) => /^src\/.*\.ts$/.test(file) && !file.endsWith('.generated.ts'))
const product = sources.filter((file) => !/\.(test|fixture)\.ts$/.test(file))
const pages = files.filter((file) => file.endsWith('.md'))
const roomOf = (file: string): string => (/^src\/([^/]+)\//.exec(file) as RegExpExecArray)[1] as string
const inRooms = (list: readonly string[]): string[] => list.filter((file) => /^src\/[^/]+\//.test(file))

/** Fails with all findings at once. */
function none(findings: readonly string[]): void {
  assert.deepEqual(findings, [])
}

test('the rooms are those of the table', () => {
  const rooms = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((item) => item.isDirectory())
  none(rooms.map((room) => room.name).filter((room) => mayImport[room] === undefined))
})

test('imports point down', () => {
  const findings = inRooms(sources).flatMap((file) =>
    importsOf(read(file))
      .filter((name) => name.startsWith('.'))
      .map((name) => join(dirname(file), name).replaceAll('\\', '/'))
      .filter((target) => !isAllowed(file, target))
      .map((target) => `${file} imports ${target}`),
  )
  none(findings)
})

function isAllowed(file: string, target: string): boolean {
  if (!target.startsWith('src/')) return /\.(test|fixture)\.ts$/.test(file) && target.startsWith('test/')
  const from = roomOf(file)
  const to = /^src\/([^/]+)\//.exec(target)?.[1]
  return to === from || (to !== undefined && (mayImport[from] ?? []).includes(to))
}

test('a package or module that belongs to one room is imported there alone', () => {
  const findings = inRooms(product).flatMap((file) =>
    importsOf(read(file)).flatMap((name) =>
      belongsTo
        .filter(([pattern, room]) => pattern.test(name) && room !== roomOf(file))
        .map(([, room]) => `${file} imports ${name}, which belongs to ${room}/`),
    ),
  )
  none(findings)
})

test('cryptography is called in codec/ alone', () => {
  const findings = inRooms(product)
    .filter((file) => roomOf(file) !== 'codec')
    .flatMap((file) =>
      cryptoNames(read(file))
        .filter((name) => ![...(freeCrypto[''] ?? []), ...(freeCrypto[file] ?? [])].includes(name))
        .map((name) => `${file} uses ${name} of node:crypto`),
    )
  none(findings)
})

/** Values imported from node:crypto; `type` imports are free. */
function cryptoNames(text: string): string[] {
  return [...text.matchAll(/import\s+(?!type\b)([^'"]*?)\s+from\s+['"](?:node:)?crypto['"]/g)].flatMap(
    (found) => {
      const clause = found[1] as string
      if (!clause.startsWith('{')) return [clause]
      return clause
        .slice(1, -1)
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '' && !name.startsWith('type '))
    },
  )
}

test('time and chance are parameters below peer/', () => {
  const real =
    /(?<![.\w])(Date\.now\(|new Date\(\)|setTimeout\((?!\))|setInterval\(|Math\.random\(|performance\.now\(|AbortSignal\.timeout\()/
  const findings = inRooms(product)
    .filter((file) => !['peer', 'api', 'cli'].includes(roomOf(file)))
    .filter((file) => !['src/base/clock.ts', 'src/base/random.ts'].includes(file))
    .flatMap((file) => {
      const found = real.exec(withoutComments(read(file)))
      return found === null ? [] : [`${file} calls ${found[1]}`]
    })
  none(findings)
})

function withoutComments(text: string): string {
  return text.replaceAll(/(^|\s)\/\*[\s\S]*?\*\//gm, '').replaceAll(/(^|\s)\/\/.*$/gm, '')
}

test('every room has a page of at most 15 lines', () => {
  const findings = Object.keys(mayImport)
    .filter((room) => existsSync(join(root, 'src', room)))
    .flatMap((room) => {
      const page = `src/${room}/README.md`
      if (!existsSync(join(root, page))) return [`${page} is missing`]
      const lines = read(page).trimEnd().split('\n').length
      return lines > 15 ? [`${page} has ${lines} lines`] : []
    })
  none(findings)
})

test('docs/ERRORS.md is what scripts/errors-doc.mjs writes', () => {
  assert.equal(read('docs/ERRORS.md'), errorsPage(catalogue))
})

/** Exports that nothing of the product needs, and what they are there for. */
const forTests = new Map([
  ['describedRoutes', 'no route is described that is not there'],
  ['requestNames', 'the table of every request and role'],
  ['MemoryStore', 'the store of the simulator'],
  ['openRoot', 'a file opens by its link key alone'],
  ['describedRoutes', 'every route is described'],
])

test('every export of the product is used by the product', () => {
  const words = new Map(product.map((file) => [file, wordsIn(withoutCommentLines(read(file)))]))
  const findings = product
    .filter((file) => file !== 'src/index.ts')
    .flatMap((file) =>
      exportsOf(read(file))
        .filter((name) => !forTests.has(name) && words.get(file)?.get(name) === 1)
        .filter((name) => !product.some((other) => other !== file && words.get(other)?.has(name) === true))
        .map((name) => `${file} exports ${name}, which nothing uses`),
    )
  none(findings)
})

function exportsOf(text: string): string[] {
  const found = text.matchAll(
    /^export (?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type) (\w+)/gm,
  )
  return [...found].map(([, name]) => name as string)
}

/** Addresses as `'/files/*'` look like the beginning of a comment: whole lines only. */
const withoutCommentLines = (text: string): string => text.replaceAll(/^\s*(?:\/\*|\*|\/\/).*$/gm, '')

/** How often each word occurs. */
function wordsIn(text: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [word] of text.matchAll(/\w+/g)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

test('every error code is used, and every code used is in the catalogue', () => {
  const text = product
    .filter((file) => file !== 'src/base/errors.ts')
    .map(read)
    .join('\n')
  const base = read('src/base/errors.ts').split('export type ErrorCode')[1] as string
  const unused = Object.keys(catalogue).filter((code) => !new RegExp(`['"]${code}['"]`).test(text + base))
  none(unused.map((code) => `${code} is never used`))
})

test('relative links of pages lead somewhere', () => {
  const findings = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map((found) => (found[1] as string).split('#')[0] as string)
      .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page} links to ${target}`),
  )
  none(findings)
})

test('nothing names a place of one machine or a package registry', () => {
  const places =
    /\/wo[r]k\/|\.libra[r]y\/|\.\.\/share[d]|https?:\/\/(registr[y]|de[b])\.|\/(root|home\/[a-z]+)\/[a-z]/
  const findings = files.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, index) =>
        places.test(line) ? [`${file}:${index + 1} ${line.trim().slice(0, 100)}`] : [],
      ),
  )
  none(findings)
})

test('packages are pinned, come without a host, and run no script when they are installed', () => {
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockEntry> }
  const own = lock.packages[''] as LockEntry
  const wanted = Object.entries({
    ...own.dependencies,
    ...own.devDependencies,
    ...own.optionalDependencies,
  })
  none(
    wanted
      .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
      .map(([name, version]) => `${name} ${version}`),
  )
  const entries = Object.entries(lock.packages)
  none(entries.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => `${path} names its host`))
  none(
    entries
      .filter(([, entry]) => entry.hasInstallScript === true && entry.dev !== true)
      .map(([path]) => path),
  )
  none(
    entries
      .filter(([path, entry]) => path !== '' && entry.integrity === undefined && entry.link !== true)
      .map(([path]) => path),
  )
})

interface LockEntry {
  resolved?: string
  integrity?: string
  hasInstallScript?: boolean
  dev?: boolean
  link?: boolean
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

test('npm scripts are Node programs of scripts/', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const findings = Object.entries(scripts).filter(([, command]) => {
    const file = /^node (scripts\/[a-z-]+\.mjs)( [a-z:-]+)*$/.exec(command)?.[1]
    return file === undefined || !existsSync(join(root, file))
  })
  none(findings.map(([name, command]) => `${name}: ${command}`))
})

test('no test is switched off', () => {
  // A skip under a condition, as `windows ? { skip: 'reason' } : {}`, is none.
  const off =
    /\b(?:test|it|describe|suite)\.(?:only|skip|todo)\(|(?<![?:] \{ )\b(?:only|todo|skip):\s*(?:true|['"`])/
  const aboutThis = ['test/repository.test.ts', 'test/scripts/test-runner.test.ts']
  const tests = files.filter((file) => /\.test\.tsx?$/.test(file) && !aboutThis.includes(file))
  none(tests.filter((file) => off.test(read(file))))
})

test('every test file belongs to one part of npm test', () => {
  for (const file of findTests()) partOf(file)
})

test('changelog files follow the template', () => {
  const entries = files.filter(
    (file) => /^changelog\/.+\.md$/.test(file) && !/\/(README|TEMPLATE)\.md$/.test(file),
  )
  const form = /^(Added|Changed|Fixed|Removed|Security): \S.{0,110}[^.\s]\n\n\S[\s\S]*\n$/
  none(entries.filter((file) => !form.test(read(file)) || !/^changelog\/[a-z0-9-]+\.md$/.test(file)))
})

test('the embedded web page is built from the sources as they are', () => {
  if (existsSync(join(root, 'ui/index.html'))) assert.ok(uiIsCurrent(), 'run: npm run build -- --ui-only')
})

for (const [name, program] of [
  ['types', 'the type check'],
  ['lint', 'the linter'],
  ['format', 'the formatter'],
] as const)
  test(`${program} finds nothing`, async () => {
    const command = [join(root, 'scripts/check.mjs'), name]
    const output = await promisify(execFile)(process.execPath, command, { maxBuffer: 64 << 20 }).then(
      () => '',
      (error: Error & { stdout?: string }) => `${error.stdout ?? ''}${error.message}`,
    )
    assert.equal(output, '')
  })
