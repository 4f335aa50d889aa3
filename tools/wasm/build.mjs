// Builds src/codec/wasm.generated.ts from the kernels here; with --check only compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { main } from 'assemblyscript/asc'

const target = fileURLToPath(new URL('../../src/codec/wasm.generated.ts', import.meta.url))
/** Source and memory in pages of 64 KiB. */
const kernels = { cut: ['cut.ts', 2], shards: ['shards.ts', 7] }

const lines = ['/** WebAssembly kernels, built by tools/wasm (npm run build there). */']
for (const [name, [source, pages]] of Object.entries(kernels)) {
  lines.push(`export const ${name}Wasm =\n  '${await compile(source, pages)}'`)
}
const text = `${lines.join('\n')}\n`

if (!process.argv.includes('--check')) writeFileSync(target, text)
else if (readFileSync(target, 'utf8') !== text) {
  process.stderr.write('src/codec/wasm.generated.ts is not what tools/wasm builds\n')
  process.exitCode = 1
}

async function compile(source, pages) {
  let wasm
  let report = ''
  const options = `-O3 --runtime stub --noAssert --enable simd --initialMemory ${pages} --maximumMemory ${pages}`
  const { error } = await main([source, '-o', 'out.wasm', ...options.split(' ')], {
    readFile: (name) => {
      try {
        return readFileSync(fileURLToPath(new URL(name, import.meta.url)), 'utf8')
      } catch {
        return null
      }
    },
    writeFile: (name, contents) => {
      if (name === 'out.wasm') wasm = contents
    },
    listFiles: () => [],
    stderr: { write: (text) => void (report += text) },
  })
  if (error) throw new Error(`${source} does not compile: ${report}`, { cause: error })
  return Buffer.from(wasm).toString('base64')
}
