/**
 * Reporter for node:test: one line a file, every failure in full, every skip by name. Writes the
 * counts as JSON to the file named by PEERSTOR_TEST_COUNTS.
 */
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'

/** @param {AsyncIterable<{type: string, data: any}>} events */
export default async function* report(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for await (const { type, data } of events) {
    if (type === 'test:stderr' || type === 'test:stdout') yield data.message
    if (type === 'test:summary' && data.file !== undefined) yield fileLine(data)
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details.type === 'suite' && !(type === 'test:fail' && ownFailure(data))) continue
    const kind = outcome(type, data)
    counts[kind] += 1
    if (kind === 'failed') yield failure(data)
    if (kind === 'skipped')
      yield `  skipped: ${data.name}${typeof data.skip === 'string' ? ` (${data.skip})` : ''}\n`
  }
  const to = process.env.PEERSTOR_TEST_COUNTS
  if (to !== undefined) writeFileSync(to, JSON.stringify(counts))
}

/** A file without any test passes as one test named by the file: nothing in it could fail. */
function outcome(/** @type {string} */ type, /** @type {any} */ data) {
  if (data.skip !== undefined && data.skip !== false) return 'skipped'
  if (data.todo !== undefined && data.todo !== false) return 'skipped'
  if (type === 'test:pass' && isFileItself(data))
    data.details.error = new Error('there is no test in this file')
  return type === 'test:fail' || data.details.error !== undefined ? 'failed' : 'passed'
}

const isFileItself = (/** @type {any} */ data) =>
  data.nesting === 0 &&
  data.file !== undefined &&
  data.file.endsWith(data.name) &&
  /\.test\.tsx?$/.test(data.name)

/** A suite fails with its tests, which are counted themselves; here it failed by a hook or at load. */
const ownFailure = (/** @type {any} */ data) => data.details.error?.failureType !== 'subtestsFailed'

function fileLine(/** @type {any} */ data) {
  const { passed, failed, cancelled, skipped } = data.counts
  const bad = failed + cancelled
  const seconds = (data.duration_ms / 1000).toFixed(1).padStart(6)
  return `${seconds} s  ${bad > 0 ? 'FAILED' : 'ok    '} ${relative(process.cwd(), data.file)}  ${passed} passed${
    bad > 0 ? `, ${bad} failed` : ''
  }${skipped > 0 ? `, ${skipped} skipped` : ''}\n`
}

function failure(/** @type {any} */ data) {
  const error = data.details.error
  const text = error?.cause?.stack ?? error?.cause ?? error?.stack ?? error
  const where = data.file === undefined ? '' : ` (${relative(process.cwd(), data.file)}:${data.line})`
  return `\n  FAILED ${data.name}${where}\n${String(text).replaceAll(/^/gm, '    ')}\n\n`
}
