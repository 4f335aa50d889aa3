/** A numbered list of what could go when there is no room; what is chosen goes. */
import { createInterface } from 'node:readline/promises'
import { type Client, encodePath } from '../api/client.ts'
import type { Candidate } from '../peer/peer.ts'
import type { Context } from './context.ts'
import { oneLine, plural, sizeText, timeText } from './words.ts'

const shown = 20

/** What could go: of a folder, or of everything here. */
export async function couldGo(
  context: Context,
  client: Client,
  folder: string | undefined,
): Promise<{ entries: Candidate[] }> {
  return client.get('/api/v1/quota/free', { folder, limit: shown }, context.signal)
}

export function canAsk({ out }: Context): boolean {
  return process.stdin.isTTY && process.stderr.isTTY && !out.json && !out.quiet
}

/** Shows the list, asks, removes; true when something went. */
export async function offerToFree(
  context: Context,
  client: Client,
  folder: string | undefined,
): Promise<boolean> {
  const { entries } = await couldGo(context, client, folder)
  if (entries.length === 0) return false
  for (const text of numbered(entries)) process.stderr.write(`${text}\n`)
  const where = folder === undefined ? 'for good' : 'to the trash'
  const question = `Which may go ${where}? Numbers such as 1,3-5; Enter: none  `
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(question, { signal: context.signal }).finally(() => terminal.close())
  const chosen = chosenOf(answer, entries.length).map((number) => entries[number - 1]!)
  for (const one of chosen) await letGo(context, client, one, folder === undefined)
  const bytes = chosen.reduce((sum, { size }) => sum + size, 0)
  if (chosen.length > 0)
    context.out.note(`removed ${plural(chosen.length, 'of them', 'of them')}, ${sizeText(bytes)}`)
  if (chosen.length > 0 && folder === undefined)
    context.out.note('the space comes back when its time in quarantine is over: peerstor gc --dry-run')
  return chosen.length > 0
}

export function numbered(entries: readonly Candidate[]): string[] {
  const width = String(entries.length).length
  return entries.map(({ path, what, size, written }, index) => {
    const said = what === 'file' ? '' : what === 'version' ? '  (an old version)' : '  (in the trash)'
    return `${String(index + 1).padStart(width)}  ${sizeText(size).padStart(8)}  ${timeText(written)}  ${oneLine(path)}${said}`
  })
}

/** `1,3-5` as numbers from 1 to `most`; what is none of them is left out. */
export function chosenOf(text: string, most: number): number[] {
  const chosen = new Set<number>()
  for (const [, from = '', to = from] of text.matchAll(/(\d+)(?:\s*-\s*(\d+))?/g))
    for (let number = Number(from); number <= Math.min(Number(to), most); number += 1)
      if (number > 0) chosen.add(number)
  return [...chosen]
}

/**
 * For a folder's quota a file in the trash counts no more; for the space of this device it must go for good:
 * the version that was shown, and nothing else that lies or lay at its path.
 */
async function letGo(
  { signal }: Context,
  client: Client,
  { path, what, version }: Candidate,
  forGood: boolean,
): Promise<void> {
  const at = encodePath(path)
  if (what === 'file') await client.call('DELETE', `/files/${at}`, { signal })
  if (what !== 'file' || forGood)
    await client.call('DELETE', `/api/v1/versions/${at}`, { query: { version }, signal })
}
