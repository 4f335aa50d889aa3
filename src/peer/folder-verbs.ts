/** Folders by name: list, create, change their policy, remove. */
import type { Catalogue, Folder, Policy } from '../access/catalogue.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { schemeOf, schemeText, type ShardScheme } from '../codec/shards.ts'
import { checkPath } from '../files/paths.ts'
import type { Core } from './create-core.ts'
import type { FolderLine, FolderVerbs, PolicyChange } from './peer.ts'

export function folderVerbs(core: () => Core): FolderVerbs {
  return {
    list: async () => ({
      folders: core()
        .catalogue.folders()
        .map((folder) => withTotals(core(), folder)),
    }),
    create: async (name, policy) => {
      const { catalogue } = core()
      requireOrder({ min: 2, max: 5, ...policy })
      const folder = await catalogue.createFolder(folderName(catalogue, name), policyOf(policy))
      return withTotals(core(), folder)
    },
    set: async (name, policy) => {
      const { catalogue } = core()
      const folder = folderNamed(catalogue, name)
      requireOrder({ ...folder.policy, ...policy })
      return withTotals(core(), await catalogue.setPolicy(folder.id, policyOf(policy)))
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

/** Who asks for copies alone wants no shards any more. */
function policyOf({ erasure, ...policy }: PolicyChange): Partial<Policy> {
  if (erasure === undefined && policy.copies === undefined) return policy
  if (erasure === undefined || erasure === 'off') return { ...policy, erasure: undefined }
  const scheme = schemeOf(erasure)
  if (scheme !== undefined) return { ...policy, erasure: scheme }
  const reason = `erasure is ${erasure}: 2 to ${limits.shardsData} data and 1 to ${limits.shardsParity} parity shards, like 4+2, or off`
  throw fail('BAD_INPUT', { what: 'the policy', reason })
}

function withTotals(core: Core, folder: Folder): FolderLine {
  const { id } = folder
  const { erasure, ...policy } = folder.policy
  const scheme = core.pool.scheme(id)
  const rekey = core.rekey.stateOf(id)
  return {
    ...folder,
    policy: { ...policy, ...(erasure && { erasure: schemeText(erasure) }) },
    scheme: scheme === undefined ? 'copies' : schemeText(scheme),
    ...(erasure !== undefined && scheme === undefined && { waiting: waitingText(core, erasure) }),
    ...core.store.read.totals(id),
    copies: core.pool.want(id),
    ...(rekey && { rekey }),
  }
}

function waitingText({ membership }: Core, { k, m }: ShardScheme): string {
  const devices = membership.members().filter(({ keeps }) => keeps).length
  return `${k}+${m} needs ${k + m} devices that keep files, the pool has ${devices}: copies until then; add one: peerstor invite`
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
