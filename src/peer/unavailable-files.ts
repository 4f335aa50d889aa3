/** The verbs of a peer whose storage can not be used: each fails and says why; the rest of the peer works. */
import type { Files } from '../files/files.ts'

export function unavailableFiles(reason: Error): Files {
  const refuse = (): Promise<never> => Promise.reject(reason)
  const refuseNow = (): never => {
    throw reason
  }
  return {
    put: refuse,
    get: refuse,
    info: refuse,
    list: refuse,
    has: refuseNow,
    look: refuseNow,
    change: refuse,
    thumbnail: refuse,
    scan: refuse,
    find: refuse,
    large: refuse,
    categories: refuse,
    describe: refuse,
    makeFolder: refuse,
    move: refuse,
    copy: refuse,
    remove: refuse,
    trash: refuse,
    emptyTrash: refuse,
    versions: refuse,
    discardVersions: refuse,
    multipart: {
      begin: refuse,
      put: refuse,
      parts: refuseNow,
      complete: refuse,
      abort: refuse,
      open: refuseNow,
    },
    uploads: { begin: refuse, state: refuse, append: refuse, join: refuse, remove: refuse, list: refuseNow },
    restore: refuse,
    restoreAt: refuse,
  }
}
