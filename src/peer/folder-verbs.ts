/** Folders by name: list, create, change their policy, remove. */
import type { Catalogue, Folder, Policy } from '../access/catalogue.ts'
import { fail } from '../base/errors.ts'
import { checkPath } from '../files/paths.ts'
import type { Core } from './create-core.ts'
import type { FolderLine, FolderVerbs } from './peer.ts'

export function folderVerbs(core: () => Core): FolderVerbs {
  return {
    list: async () => ({
      folders: core()
        .catalogue.folders()
        .map((folder) => withTotals(core(), folder)),
    }),
    create: async (name, policy) => {
      requireOrder({ min: 2, max: 5, ...policy })
      return core().catalogue.createFolder(folderName(core().catalogue, name), policy)
    },
    set: async (name, policy: Partial<Policy>) => {
      const { catalogue } = core()
      const folder = folderNamed(catalogue, name)
      requireOrder({ ...folder.policy, ...policy })
      return catalogue.setPolicy(folder.id, policy)
    },
    rekey: async (name) => {
      const { catalogue } = core()
      const folder = folderNamed(catalogue, name)
      await catalogue.rekey(folder.id)
      return withTotals(core(), folder)
    },
    remove: async (name) => {
      const { catalogue } = core()
      await catalogue.removeFolder(folderNamed(catalogue, name).id)
    },
  }
}

function requireOrder({ min, max }: Pick<Policy, 'min' | 'max'>): void {
  if (min <= max) return
  throw fail('BAD_INPUT', { what: 'the policy', reason: `min=${min} is more than max=${max}` })
}

function withTotals(core: Core, folder: Folder): FolderLine {
  const { id } = folder
  const rekey = core.rekey.stateOf(id)
  const line = { ...folder, ...core.store.read.totals(id), copies: core.pool.want(id) }
  return rekey === undefined ? line : { ...line, rekey }
}

function folderNamed(catalogue: Catalogue, name: string): Folder {
  const folder = catalogue.folderNamed(name.normalize('NFC'))
  if (folder === undefined) throw fail('NOT_FOUND', { what: 'folder', name })
  return folder
}

/** A new folder's name: one part of a path, not yet taken. */
function folderName(catalogue: Catalogue, text: string): string {
  const name = checkPath(text)
  if (name.includes('/')) throw fail('BAD_PATH', { path: name, reason: 'the name of a folder has no /' })
  if (catalogue.folderNamed(name) !== undefined) throw fail('ALREADY_EXISTS', { what: 'folder', name })
  return name
}
