/** `describe`: what a file is about, and what kind of thing it is. */
import { encodePath } from '../api/client.ts'
import { fail } from '../base/errors.ts'
import type { FileInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples, expiryText } from './options.ts'

interface Options {
  type?: string
  category?: string
  expires?: string
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER/PATH')
    .argument('[text]', "what it is about; '' takes the description away")
    .option('--type <TYPE>', 'MIME type, such as image/png')
    .option('--category <NAME>', 'image, video, audio, document, code, archive, other; auto: by the type')
    .option(
      '--expires <WHEN>',
      'to the trash by itself: after 7d, at a time, never, or none: as its folder says',
      expiryText,
    )
    .addHelpText(
      'after',
      examples("describe files/scan.pdf 'the rent contract'", 'describe files/offer.pdf --expires 7d'),
    )
    .action(act(describe))
}

async function describe(
  context: Context,
  path: string,
  text: string | undefined,
  { type, category, expires }: Options,
): Promise<void> {
  if ([text, type, category, expires].every((said) => said === undefined))
    throw fail('BAD_USAGE', { reason: 'describe needs a text, --type, --category or --expires' })
  const client = await context.client()
  const body = {
    description: text,
    type,
    category: category === 'auto' ? null : category,
    expires: expires === 'none' ? null : expires,
  }
  const address = `/api/v1/files/${encodePath(path)}`
  const file = await client.call<FileInfo>('PATCH', address, { body, signal: context.signal })
  context.out.answer(file, () => context.out.line(`described ${file.path}`))
}
