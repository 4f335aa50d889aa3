/**
 * Walks real files and folders for `put`. Links are kept as links and never followed; sockets, pipes
 * and devices are counted and left out; what vanishes or cannot be read is reported, the rest goes on.
 */
import { type Dirent, type Stats, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fail, PeerStorError } from '../base/errors.ts'

export type Item =
  | { kind: 'file'; local: string; path: string; stats: Stats }
  | { kind: 'link'; local: string; path: string; stats: Stats; target: string }
  | { kind: 'empty-folder'; local: string; path: string }

export interface WalkReport {
  /** Sockets, pipes and devices. */
  skipped: number
  onProblem(thrown: unknown): void
}

/** Everything below `local` as it should be stored under `path`. */
export function* walk(local: string, path: string, report: WalkReport): Generator<Item> {
  const stats = look(local, report)
  if (stats === undefined) return
  if (stats.isDirectory()) yield* walkFolder(local, path, report)
  else yield* itemOf(local, path, stats, report)
}

/** A name given on the command line: a folder behind a link is entered, because it was asked for. */
export function* walkNamed(local: string, into: string, report: WalkReport): Generator<Item> {
  const path = join2(into, nameOf(local))
  const stats = look(local, report)
  if (stats?.isSymbolicLink() === true && isFolder(local)) yield* walkFolder(local, path, report)
  else yield* walk(local, path, report)
}

/** The name a file or folder has, `.` and `..` resolved. */
export const nameOf = (local: string): string => basename(resolve(local))

export const join2 = (folder: string, name: string): string => `${folder.replace(/\/+$/, '')}/${name}`

/** Whether a folder is there, behind a link or not; what cannot be looked at is none, reading it tells why. */
export function isFolder(local: string): boolean {
  try {
    return statSync(local, { throwIfNoEntry: false })?.isDirectory() === true
  } catch {
    return false
  }
}

function* walkFolder(local: string, path: string, report: WalkReport): Generator<Item> {
  const names = namesIn(local, report)
  if (names === undefined) return
  if (names.length === 0) yield { kind: 'empty-folder', local, path }
  for (const { name } of names) yield* walk(join(local, name), join2(path, name), report)
}

function* itemOf(local: string, path: string, stats: Stats, report: WalkReport): Generator<Item> {
  if (stats.isFile()) yield { kind: 'file', local, path, stats }
  else if (stats.isSymbolicLink()) {
    const target = attempt(local, report, () => readlinkSync(local))
    if (target !== undefined) yield { kind: 'link', local, path, stats, target }
  } else report.skipped += 1
}

const look = (local: string, report: WalkReport): Stats | undefined =>
  attempt(local, report, () => lstatSync(local))

const namesIn = (local: string, report: WalkReport): Dirent[] | undefined =>
  attempt(local, report, () =>
    readdirSync(local, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1)),
  )

function attempt<T>(local: string, report: WalkReport, read: () => T): T | undefined {
  try {
    return read()
  } catch (thrown) {
    report.onProblem(localError(thrown, local))
    return undefined
  }
}

/** An error of the local disk as a catalogue error that names the file. */
export function localError(thrown: unknown, local: string): unknown {
  if (thrown instanceof PeerStorError) return thrown
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code
  if (code === 'ENOENT') return fail('NOT_FOUND', { what: 'file', name: local }, thrown)
  if (code === 'EACCES' || code === 'EPERM')
    return fail('BAD_INPUT', { what: local, reason: 'it may not be read or written by you' }, thrown)
  if (code === 'ENOSPC') return fail('DISK_FULL', { path: local }, thrown)
  return code === undefined ? thrown : fail('BAD_INPUT', { what: local, reason: code }, thrown)
}
