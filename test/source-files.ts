/** The files of the repository, and what a module imports. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { filesUnder } from '../scripts/build-ui.mjs'
import { root } from '../scripts/runtime.mjs'

const text =
  /(\.(ts|tsx|mjs|js|json|md|sh|cmd|yml|toml|css|html|svg|service)|(^|\/)(peerstor|run|LICENSE|\.[a-z]+))$/

/** Every text file that belongs to the repository: of the work tree in a clone, else all but what is made. */
export function textFiles(): string[] {
  return inClone().filter(
    (file) => text.test(file) && file !== 'package-lock.json' && existsSync(join(root, file)),
  )
}

function inClone(): string[] {
  if (existsSync(join(root, '.git')))
    return execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
    })
      .split('\0')
      .filter((file) => file !== '')
  const folders = ['.ci', '.github', 'bench', 'bin', 'changelog', 'docs', 'scripts', 'src', 'test', 'ui']
  return ['README.md', 'CONTRIBUTING.md', 'LICENSE', 'package.json', 'tsconfig.json'].concat(
    folders
      .filter((folder) => existsSync(join(root, folder)))
      .flatMap((folder) => filesUnder(join(root, folder)).map((file) => `${folder}/${file}`)),
  )
}

/** The names a module imports or exports from, dynamic imports of literal names included. */
export function importsOf(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  return [
    ...code.matchAll(/^\s*(?:import|export)\s+(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm),
    ...code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g),
  ].map((found) => found[1] as string)
}
