/** `/dav/FOLDER/…`: WebDAV, classes 1 and 2 (RFC 4918), for Finder, Explorer, davfs2, rclone and others. */
import { type DavCall, DavRefusal, answerRefusal } from './dav-answer.ts'
import { lock, unlock } from './dav-lock.ts'
import { copyMember, getMember, makeCollection, moveMember, putMember, removeMember } from './dav-members.ts'
import { propfind, propfindTop, proppatch } from './dav-propfind.ts'
import type { Call, Method, Route } from './route.ts'

export const davRoutes: Route[] = [
  { ...dav('GET', 'read', getMember), checksPaths: true },
  { ...dav('PROPFIND', 'read', propfind), checksPaths: true },
  dav('PROPPATCH', 'write', proppatch),
  dav('PUT', 'write', putMember),
  dav('DELETE', 'write', removeMember),
  dav('MKCOL', 'write', makeCollection),
  dav('COPY', 'read', copyMember),
  dav('MOVE', 'write', moveMember),
  dav('LOCK', 'write', lock),
  dav('UNLOCK', 'write', unlock),
  // Explorer asks its DavWWWRoot, the top of the host, wherever below it is to go.
  { ...dav('PROPFIND', 'read', propfindTop), path: '/', checksPaths: true },
]

function dav(method: Method, scope: 'read' | 'write', handle: (call: DavCall) => Promise<unknown>): Route {
  return { method, path: '/dav/*', scope, signIn: 'basic', handle: (call) => run(call, handle) }
}

/** With the verbs of who asks, so that they decide about every path a request names. */
async function run(call: Call, handle: (call: DavCall) => Promise<unknown>): Promise<unknown> {
  const files = call.subject === undefined ? call.peer.files : call.peer.filesFor(call.subject)
  const davCall: DavCall = { ...call, files }
  try {
    return await handle(davCall)
  } catch (thrown) {
    if (thrown instanceof DavRefusal) return answerRefusal(davCall, thrown)
    throw thrown
  }
}
