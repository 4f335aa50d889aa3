/** The verbs of a peer whose storage can not be used: each fails and says why; the rest of the peer works. */
import type { Files } from '../files/files.ts'

export function unavailableFiles(reason: Error): Files {
  const refuse = (): Promise<never> => Promise.reject(reason)
  return {
    put: refuse,
    get: refuse,
    info: refuse,
    list: refuse,
    has: () => {
      throw reason
    },
    makeFolder: refuse,
    move: refuse,
    remove: refuse,
    trash: refuse,
    versions: refuse,
    restore: refuse,
  }
}
