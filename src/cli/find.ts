/** `find`: files of all folders by words and facts, the best first. */
import type { ListedEntry } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { entryColumns } from './ls.ts'
import { examples, wholeNumber } from './options.ts'
import { sizeText } from './words.ts'

interface Options {
  tag?: string[]
  type?: string
  category?: string
  folder?: string
  larger?: string
  smaller?: string
  newer?: string
  older?: string
  sort?: string
  limit?: number
  cursor?: string
  categories?: boolean
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('[words...]', 'all of them must occur in name, tags, description or folders')
    .option('--tag <TAG...>', 'with all of these tags')
    .option('--type <TYPE>', 'MIME type or its beginning, such as image/')
    .option('--category <NAME>', 'image, video, audio, document, code, archive or other')
    .option('--folder <FOLDER>', 'below FOLDER[/PATH]')
    .option('--larger <SIZE>', 'larger than this, such as 5MB')
    .option('--smaller <SIZE>', 'smaller than this')
    .option('--newer <TIME>', 'modified after this, such as 2026-05-01 or 7d')
    .option('--older <TIME>', 'modified before this')
    .option('--sort <ORDER>', 'rank, newest, oldest, name, largest or smallest')
    .option('--limit <N>', 'at most N entries (100)', wholeNumber)
    .option('--cursor <C>', 'go on after a page: the next of its JSON')
    .option('--categories', 'how many files there are of each category')
    .addHelpText(
      'after',
      examples(
        'find report',
        'find holiday --category image --newer 30d',
        'find --tag invoice --sort largest',
      ),
    )
    .action(act(find))
}

interface Page {
  entries: ListedEntry[]
  next?: string
}

async function find(context: Context, words: string[], options: Options): Promise<void> {
  if (options.categories === true) return totals(context, options.folder)
  const { categories: _, tag, ...rest } = options
  const query = { ...known(rest), words: words.join(' ') || undefined, tag: tag?.join(',') }
  const client = await context.client()
  const page = await client.get<Page>('/api/v1/search', query, context.signal)
  const { out } = context
  out.answer(page, () => {
    if (page.entries.length === 0) return out.line('nothing found')
    out.table(entryColumns(page.entries), page.entries)
    if (page.next !== undefined) out.note(`more: --cursor ${page.next}`)
  })
}

/** Parameters of the search; options that every command has are not among them. */
function known({ type, category, folder, larger, smaller, newer, older, sort, limit, cursor }: Options) {
  return { type, category, folder, larger, smaller, newer, older, sort, limit, cursor }
}

interface Total {
  category: string
  files: number
  bytes: number
}

async function totals(context: Context, folder: string | undefined): Promise<void> {
  const { out, signal } = context
  const client = await context.client()
  const found = await client.get<{ entries: Total[] }>('/api/v1/categories', { folder }, signal)
  out.answer(found, () =>
    out.table<Total>(
      [
        { head: 'Category', value: (total) => total.category },
        { head: 'Files', value: (total) => String(total.files), right: true },
        { head: 'Size', value: (total) => sizeText(total.bytes), right: true },
      ],
      found.entries,
    ),
  )
}
