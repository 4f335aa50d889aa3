/** `ls`: what a folder holds. */
import { encodePath } from '../api/client.ts'
import type { ListedEntry } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples, wholeNumber } from './options.ts'
import { type PageOptions, readList } from './pages.ts'
import type { Column } from './table.ts'
import { timeOf } from './time-option.ts'
import { copiesText, sizeText, timeText } from './words.ts'

interface Options extends PageOptions {
  recursive?: boolean
  at?: string
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('[path]', 'FOLDER[/PATH]; without it the folders', '')
    .option('-r, --recursive', 'everything below')
    .option('--at <TIME>', 'as it was then, such as 2026-05-01T10:00')
    .option('--limit <N>', 'at most N entries', wholeNumber)
    .option('--cursor <C>', 'go on after a page: the next of its JSON')
    .addHelpText('after', examples('ls', 'ls files/photos --at 2026-05-01', 'ls -r files --json'))
    .action(act(ls))
}

/** How entries are listed, by `ls` and `find`; conflicts have a column when there are any. */
export function entryColumns(entries: readonly ListedEntry[]): Column<ListedEntry>[] {
  const conflicts = entries.some((entry) => entry.conflict === true)
  return [
    { head: 'Path', value: (entry) => (entry.kind === 'folder' ? `${entry.path}/` : entry.path) },
    { head: 'Size', value: (entry) => sizeText(entry.size), right: true },
    { head: 'Modified', value: (entry) => timeText(entry.modified ?? undefined) },
    { head: 'Copies', value: (entry) => copiesText(entry.copies) },
    ...(conflicts ? [conflictColumn] : []),
  ]
}

const conflictColumn: Column<ListedEntry> = {
  head: 'Conflict',
  value: (entry) => (entry.conflict === true ? 'see peerstor versions' : ''),
}

async function ls(context: Context, path: string, options: Options): Promise<void> {
  const { out } = context
  const client = await context.client()
  const address = `/api/v1/list/${encodePath(path)}`.replace(/\/$/, '')
  const query = {
    recursive: options.recursive,
    at: options.at === undefined ? undefined : timeOf(options.at),
  }
  const page = await readList<ListedEntry>(client, address, options, query, context.signal)
  out.answer(page, () => {
    if (page.entries.length === 0) return out.line('nothing here')
    out.table(entryColumns(page.entries), page.entries)
    if (page.next !== undefined) out.note(`more: --cursor ${page.next}`)
  })
}
