/** `info`: all that is known of a file: where its copies are, its versions. */
import { encodePath } from '../api/client.ts'
import { shellWord } from '../base/shell-word.ts'
import type { FileInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { oneLine, sizeText, timeText } from './words.ts'

interface Options {
  chunks?: boolean
  sha256?: boolean
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER/PATH')
    .option('--chunks', 'list the chunks and who holds them')
    .option('--sha256', 'read the content and compute its SHA-256')
    .addHelpText('after', examples('info files/cat.jpg', 'info files/cat.jpg --chunks --json'))
    .action(act(info))
}

async function info(context: Context, path: string, options: Options): Promise<void> {
  const client = await context.client()
  const query = { chunks: options.chunks, sha256: options.sha256 }
  const file = await client.get<FileInfo>(`/api/v1/files/${encodePath(path)}`, query, context.signal)
  context.out.answer(file, () => show(context, file))
}

function show({ out }: Context, file: FileInfo): void {
  const { copies } = file
  out.line(oneLine(file.path))
  out.line(`  size      ${sizeText(file.size)} (${file.size} bytes)`)
  out.line(`  modified  ${timeText(file.modified)}   created ${timeText(file.created)}`)
  out.line(`  type      ${file.type} (${file.category})`)
  if (file.tags.length > 0) out.line(`  tags      ${oneLine(file.tags.join(', '))}`)
  if (file.description !== '') out.line(`  about     ${oneLine(file.description)}`)
  if (file.expires !== undefined) out.line(`  expires   ${timeText(file.expires)}, to the trash`)
  if (file.priority) out.line('  priority  the most copies that the folder allows')
  out.line(`  hash      ${file.hash}`)
  if (file.rekey !== undefined)
    out.line('  keys      of before `folder rekey`: it is sealed anew in the background')
  if (file.sha256 !== undefined) out.line(`  sha256    ${file.sha256}`)
  const conflicts = file.versions.filter((version) => version.state === 'conflict').length
  const conflictText =
    conflicts === 0
      ? ''
      : `, ${conflicts} written at the same time: peerstor versions ${shellWord(oneLine(file.path))}`
  out.line(`  versions  ${file.versions.length}${conflictText}`)
  out.line(
    `  copies    ${copies.have} of ${copies.want}${copies.possible < copies.want ? ` (possible now: ${copies.possible})` : ''}`,
  )
  out.line(`            ${copies.statement}`)
  out.table(
    [
      { head: '  Device', value: (holder) => `  ${holder.name}` },
      { head: 'Zone', value: (holder) => holder.zone ?? '' },
      { head: 'State', value: (holder) => holder.state },
      { head: 'Last seen', value: (holder) => timeText(holder.lastSeen) },
      { head: 'Verified', value: (holder) => timeText(holder.verified) },
      { head: 'Without it', value: ({ left }) => (left === 0 ? 'no copy left' : `${left} left`) },
    ],
    copies.holders,
  )
  for (const chunk of file.chunks ?? [])
    out.line(`  chunk ${chunk.id}  ${sizeText(chunk.size)}  on ${chunk.holders.length}`)
}
