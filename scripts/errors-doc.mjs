/** Writes docs/ERRORS.md from the error catalogue. A test compares the two. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { continueOnPinned, isProgram, main, root } from './runtime.mjs'

/**
 * The page as it should be.
 * @param {Record<string, {message: string, next: string, status: number, exit?: number}>} catalogue
 */
export function errorsPage(catalogue) {
  const rows = Object.entries(catalogue).map(
    ([code, row]) =>
      `| \`${code}\` | ${cell(row.message)} | ${cell(row.next)} | ${row.status} | ${row.exit ?? 1} |\n`,
  )
  return `# Errors

Every error has a code that scripts can rely on. The command line prints
\`error: <what failed, which thing> — <what to do next> [CODE]\` on stderr and ends with the exit code; with \`--json\`
it prints \`{"error":{"code","message","next"}}\`. HTTP answers a problem document (RFC 9457) with the same \`code\` and
\`next\` and the status below. Words in braces are filled in.

This page is written from \`src/base/errors.ts\` by \`node scripts/errors-doc.mjs\`; change the catalogue, not the page.

| code | what failed | what to do | HTTP | exit |
|---|---|---|---|---|
${rows.join('')}`
}

/** @param {string} text */
const cell = (text) => text.replaceAll('|', String.raw`\|`)

if (isProgram(import.meta.url))
  await main(async () => {
    await continueOnPinned(import.meta.url)
    const { catalogue } = await import('../src/base/errors.ts')
    writeFileSync(join(root, 'docs/ERRORS.md'), errorsPage(catalogue))
  })
