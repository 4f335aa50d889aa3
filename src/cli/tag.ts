/** `tag`: adds and removes tags: `+holiday,-draft`. */
import { encodePath } from '../api/client.ts'
import { fail } from '../base/errors.ts'
import type { FileInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { oneLine } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER/PATH')
    .argument('<changes...>', '+TAG adds, -TAG removes; several with commas')
    // A change such as -draft is no option.
    .allowUnknownOption()
    .addHelpText('after', examples('tag files/cat.jpg +holiday,+cat', 'tag files/cat.jpg +sea,-draft'))
    .action(act(tag))
}

async function tag(context: Context, path: string, changes: string[]): Promise<void> {
  const client = await context.client()
  const body = changesOf(changes)
  const address = `/api/v1/files/${encodePath(path)}`
  const file = await client.call<FileInfo>('PATCH', address, { body, signal: context.signal })
  const { out } = context
  out.answer(file, () => out.line(`${file.path}  ${oneLine(file.tags.join(', ')) || 'no tags'}`))
}

function changesOf(changes: readonly string[]): { addTags: string[]; removeTags: string[] } {
  const all = changes
    .join(',')
    .split(',')
    .map((change) => change.trim())
    .filter(Boolean)
  const odd = all.find((change) => !/^[+-]./.test(change))
  if (odd !== undefined || all.length === 0)
    throw fail('BAD_USAGE', { reason: `${odd ?? 'nothing'} is neither +TAG nor -TAG` })
  const tagsWith = (sign: string): string[] =>
    all.filter((change) => change.startsWith(sign)).map((change) => change.slice(1))
  return { addTags: tagsWith('+'), removeTags: tagsWith('-') }
}
