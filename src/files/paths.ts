/**
 * The one place where outside names become paths: decoded once, normalised once, then checked; what
 * comes out is what is authorised, stored and opened. Names from URLs, people, peers, archives and
 * local trees all pass here.
 *
 * A path must be safe under both readings of `\`: inside the pool it is an ordinary character, but
 * a Windows device that writes the file out reads it as a separator.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** `FOLDER/PATH`, taken apart. `path` is `''` for the folder itself. */
export interface FilePath {
  folder: string
  path: string
}

/** Parses `FOLDER/PATH` as people and programs write it; one trailing slash is dropped. */
export function parsePath(text: string): FilePath {
  const whole = checkPath(text.endsWith('/') ? text.slice(0, -1) : text)
  const slash = whole.indexOf('/')
  return slash === -1
    ? { folder: whole, path: '' }
    : { folder: whole.slice(0, slash), path: whole.slice(slash + 1) }
}

/** Text of a path again: what results, events and errors show. */
export function pathText({ folder, path }: FilePath): string {
  return path === '' ? folder : `${folder}/${path}`
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Every folder above a path inside its folder, nearest last: `a/b/c` gives `a`, `a/b`. */
export function foldersAbove(path: string): string[] {
  const found: string[] = []
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1))
    found.push(path.slice(0, slash))
  return found
}

/** Normalises a path (NFC) and refuses what no device may meet; returns it or fails with `BAD_PATH`. */
export function checkPath(text: string): string {
  if (!text.isWellFormed()) throw refuse(text, 'it is not valid Unicode')
  if (text.length > limits.pathBytes) throw refuse(text, `it is longer than ${limits.pathBytes} bytes`)
  const path = text.normalize('NFC')
  const reason = whyNot(path)
  if (reason !== undefined) throw refuse(path, reason)
  return path
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const controls = /[\u0000-\u001f\u007f-\u009f]/

function whyNot(path: string): string | undefined {
  if (path === '') return 'it is empty'
  if (controls.test(path)) return 'it holds a control character'
  if (/^[/\\]/.test(path)) return 'it is absolute'
  if (Buffer.byteLength(path) > limits.pathBytes) return `it is longer than ${limits.pathBytes} bytes`
  if (/(?:^|\/)[a-z]:[/\\]/i.test(path)) return 'it names a drive'
  for (const part of path.split('/')) {
    if (Buffer.byteLength(part) > limits.nameBytes)
      return `a name in it is longer than ${limits.nameBytes} bytes`
    const bad = part.split('\\').find((piece) => piece === '' || piece === '.' || piece === '..')
    if (bad !== undefined) return bad === '' ? 'a name in it is empty' : `${bad} is no name`
  }
  return undefined
}

function refuse(path: string, reason: string): Error {
  return fail('BAD_PATH', { path: shown(path), reason })
}

/** A refused path as shown in errors: short, and without characters that move a terminal's cursor. */
function shown(path: string): string {
  return path.slice(0, 200).toWellFormed().replaceAll(new RegExp(controls, 'g'), '�')
}
