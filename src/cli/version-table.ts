/** How versions are listed, by `versions` and `trash`. */
import type { VersionInfo } from '../peer/peer.ts'
import type { Column } from './table.ts'
import { sizeText, timeText } from './words.ts'

export const versionColumns: Column<VersionInfo>[] = [
  { head: 'Version', value: (version) => version.version.slice(0, 12) },
  { head: 'State', value: (version) => version.state },
  { head: 'Written', value: (version) => timeText(version.written) },
  { head: 'Size', value: (version) => sizeText(version.size), right: true },
  { head: 'Path', value: (version) => version.path },
]
