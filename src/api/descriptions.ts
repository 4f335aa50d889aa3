/**
 * What each route takes and answers, in the very schemas that the routes read with: `openapi.ts` makes the
 * document of it, and the tests hold every answer against it.
 */
import type { z } from 'zod'
import { answers } from './answers.ts'
import { batchQuery } from './batch.ts'
import { chunkQuery } from './chunks.ts'
import { adoptBody, renameBody, revokeBody } from './devices.ts'
import { changeBody, discardQuery, infoQuery, listQuery, makeBody, trashQuery } from './entries.ts'
import { deleteQuery, getQuery, putQuery } from './files.ts'
import { changedFolder, newFolder } from './folders.ts'
import { changeLockBody, lockBody, unlockBody } from './lock.ts'
import { passwordBody } from './password.ts'
import { inviteBody, joinBody, peerBody } from './pool.ts'
import { freeQuery, quotaBody } from './quota.ts'
import { confirmBody, printBody } from './recovery.ts'
import { restoreBody } from './restore.ts'
import { reportBody } from './report.ts'
import type { Route } from './route.ts'
import { simulateBody } from './doctor.ts'
import { collectBody } from './gc.ts'
import { scrubBody } from './scrub.ts'
import { searchQuery, totalsQuery } from './search.ts'
import { signInBody } from './sessions.ts'
import { settingBody } from './settings.ts'
import { thumbnailQuery } from './thumbnails.ts'
import { tokenBody } from './tokens.ts'
import { statesQuery } from './uploads.ts'
import { zipQuery } from './zip.ts'

export interface Description {
  summary: string
  query?: z.ZodType
  /** A schema of JSON, or the type of another body. */
  body?: z.ZodType | string
  /** A schema of JSON, the type of another answer, or nothing. */
  answer?: z.ZodType | string
  /** Statuses of success; 200, or 204 without an answer, unless said otherwise. */
  statuses?: readonly number[]
}

const anyBytes = 'application/octet-stream'
const xml = 'application/xml'
const text = 'text/plain'

const described: Record<string, Description> = {
  'GET /files/*': {
    summary: 'The content of a file, whole or in ranges',
    query: getQuery,
    answer: anyBytes,
    statuses: [200, 206, 304],
  },
  'PUT /files/*': {
    summary: 'Store a file',
    query: putQuery,
    body: anyBytes,
    answer: answers.putResult,
    statuses: [200, 201, 202],
  },
  'DELETE /files/*': {
    summary: 'A file, or with `recursive` a folder, to the trash',
    query: deleteQuery,
    answer: answers.removed,
  },
  'POST /uploads': {
    summary: 'Begin a resumable upload (tus 1.0)',
    body: 'application/offset+octet-stream',
    answer: answers.upload,
    statuses: [201],
  },
  'GET /uploads/:id': {
    summary: 'Where an upload stands; `HEAD` by tus 1.0',
    query: statesQuery,
    answer: answers.upload,
    statuses: [200, 202],
  },
  'PATCH /uploads/:id': {
    summary: 'Go on with an upload (tus 1.0)',
    body: 'application/offset+octet-stream',
  },
  'DELETE /uploads/:id': { summary: 'Give an upload up (tus 1.0)' },
  'GET /api/v1/uploads': { summary: 'Uploads under way and lately ended', answer: answers.uploads },
  'DELETE /api/v1/uploads/:id': { summary: 'Give an upload up' },
  'GET /api/v1/chunks/*': { summary: 'One chunk of a file', query: chunkQuery, answer: anyBytes },
  'GET /api/v1/thumbnails/*': {
    summary: 'A small picture of an image',
    query: thumbnailQuery,
    answer: 'image/webp',
    statuses: [200, 304],
  },
  'POST /api/v1/batch': {
    summary: 'Store many small files in one stream (docs/FORMAT.md)',
    query: batchQuery,
    body: anyBytes,
    answer: 'application/x-ndjson',
  },
  'GET /api/v1/list/*': {
    summary: 'What is in a folder; without a path the folders',
    query: listQuery,
    answer: answers.listing,
  },
  'GET /api/v1/files/*': { summary: 'All about a file', query: infoQuery, answer: answers.fileInfo },
  'PATCH /api/v1/files/*': {
    summary: 'Move a file or folder, or say something of a file',
    body: changeBody,
    answer: answers.moved,
  },
  'POST /api/v1/files/*': {
    summary: 'Make an empty folder',
    body: makeBody,
    answer: answers.madeFolder,
    statuses: [201],
  },
  'GET /api/v1/versions/*': { summary: 'The versions of a file', answer: answers.versionList },
  'GET /api/v1/trash/*': {
    summary: 'What was removed from a folder',
    query: trashQuery,
    answer: answers.versionList,
  },
  'DELETE /api/v1/versions/*': {
    summary: 'Discard one old version',
    query: discardQuery,
    answer: answers.removed,
  },
  'DELETE /api/v1/trash/*': { summary: 'Discard what was removed from a folder', answer: answers.removed },
  'POST /api/v1/restore/*': {
    summary:
      'Make an earlier version, or what was removed, the newest; with `at` a file or folder as it was then (`Accept: application/x-ndjson` for its progress)',
    body: restoreBody,
    answer: answers.restored,
  },
  'GET /api/v1/search': {
    summary: 'Find files by words and facts',
    query: searchQuery(0),
    answer: answers.listing,
  },
  'GET /api/v1/categories': {
    summary: 'Files and bytes of each category',
    query: totalsQuery,
    answer: answers.anything,
  },
  'GET /api/v1/folders': { summary: 'The folders of the pool', answer: answers.folders },
  'POST /api/v1/folders': {
    summary: 'Make a folder',
    body: newFolder,
    answer: answers.changedFolder,
    statuses: [201],
  },
  'PATCH /api/v1/folders/:name': {
    summary: "Change a folder's policy",
    body: changedFolder,
    answer: answers.changedFolder,
  },
  'POST /api/v1/folders/:name/rekey': {
    summary: 'Give a folder a fresh secret; what is there is sealed anew in the background',
    answer: answers.rekeyedFolder,
  },
  'DELETE /api/v1/folders/:name': { summary: 'Remove an empty folder' },
  'GET /api/v1/pool': { summary: 'The pool', answer: answers.pool },
  'POST /api/v1/pool/leave': { summary: 'Leave the pool and begin an empty one' },
  'GET /api/v1/peers': { summary: 'The devices and how they are reached', answer: answers.peers },
  'POST /api/v1/peers': { summary: 'Connect to an address', body: peerBody, answer: answers.addedPeer },
  'GET /api/v1/discover': { summary: 'Who was found, and how', answer: answers.discovery },
  'POST /api/v1/invites': {
    summary: 'A code for a new device',
    body: inviteBody,
    answer: answers.invite,
    statuses: [201],
  },
  'POST /api/v1/join': { summary: 'Join the pool of a code', body: joinBody, answer: answers.joined },
  'GET /api/v1/devices': { summary: 'The devices of the pool', answer: answers.devices },
  'POST /api/v1/devices/revoke': { summary: 'Expel devices', body: revokeBody, answer: answers.devices },
  'PATCH /api/v1/devices/:name': {
    summary: 'Rename a device',
    body: renameBody,
    answer: answers.renamedDevice,
  },
  'GET /api/v1/devices/:name/retire': { summary: 'How far a device is that goes', answer: answers.retiring },
  'POST /api/v1/devices/:name/retire': {
    summary: 'Let a device move all that it keeps to others',
    answer: answers.retiring,
  },
  'DELETE /api/v1/devices/:name/retire': { summary: 'Let it stay after all', answer: answers.retiring },
  'GET /api/v1/devices/:name/held': { summary: 'What a revoked device wrote unseen', answer: answers.held },
  'POST /api/v1/devices/:name/adopt': { summary: 'Take it over', body: adoptBody, answer: answers.adopted },
  'POST /api/v1/recovery/print': {
    summary: 'The code of the recovery paper',
    body: printBody,
    answer: answers.paper,
  },
  'POST /api/v1/recovery/confirm': {
    summary: 'The paper is in safe hands',
    body: confirmBody,
    answer: answers.devices,
  },
  'POST /api/v1/export': {
    summary:
      'Keys, settings and all records as the file that `start --restore` takes; a secret seals its keys',
    body: lockBody,
    answer: anyBytes,
  },
  'GET /api/v1/quota': { summary: 'The contributed space', answer: answers.quota },
  'PUT /api/v1/quota': { summary: 'Change the contributed space', body: quotaBody, answer: answers.quota },
  'GET /api/v1/quota/free': {
    summary: 'What could go when there is no room, the largest and oldest first',
    query: freeQuery,
    answer: answers.candidates,
  },
  'GET /api/v1/settings': { summary: 'All settings and where they come from', answer: answers.settings },
  'PUT /api/v1/settings/:key': {
    summary: 'Change a setting',
    body: settingBody,
    answer: answers.changedSetting,
  },
  'DELETE /api/v1/settings/:key': {
    summary: 'A setting back to its default',
    answer: answers.changedSetting,
  },
  'GET /api/v1/zip': {
    summary: 'Folders and files as one zip',
    query: zipQuery,
    answer: 'application/zip',
  },
  'GET /api/v1/status': { summary: 'This peer', answer: answers.status },
  'GET /api/v1/safety': { summary: 'How many files have all their copies', answer: answers.safety },
  'GET /api/v1/workers': { summary: 'Background work', answer: answers.workers },
  'POST /api/v1/workers/:name/pause': { summary: 'Pause a worker', answer: answers.steeredWorkers },
  'POST /api/v1/workers/:name/resume': { summary: 'Let it go on', answer: answers.steeredWorkers },
  'POST /api/v1/workers/:name/run': { summary: 'A round of it now', answer: answers.steeredWorkers },
  'GET /api/v1/doctor': { summary: 'What is wrong, and what to do', answer: answers.problems },
  'GET /api/v1/alerts': { summary: 'The last alerts, newest first', answer: answers.alerts },
  'POST /api/v1/alerts/test': {
    summary: 'Send a test alert to the webhook and the command of the settings',
    answer: answers.testedAlert,
  },
  'POST /api/v1/simulate': {
    summary: 'Which files would survive without some devices',
    body: simulateBody,
    answer: answers.loss,
  },
  'GET /api/v1/report': {
    summary: 'How safe all files are, folder by folder and device by device, signed by this one',
    answer: answers.signedReport,
  },
  'POST /api/v1/report/verify': {
    summary: 'Whether a report is what a device signed, and who that is',
    body: reportBody,
    answer: answers.checkedReport,
  },
  'POST /api/v1/gc': {
    summary: 'Drop what nothing needs any more, or say what would be dropped',
    body: collectBody,
    answer: answers.collected,
  },
  'POST /api/v1/scrub': {
    summary: "Read and compare what lies on this disk, or on another device's, mend what is damaged",
    body: scrubBody,
    answer: answers.scrubbed,
  },
  'GET /health': { summary: 'Whether the peer works', answer: answers.health, statuses: [200, 503] },
  'GET /health/ready': { summary: 'Whether the peer is ready', answer: answers.health, statuses: [200, 503] },
  'GET /api/v1/tokens': { summary: 'API tokens', answer: answers.tokens },
  'POST /api/v1/tokens': {
    summary: 'Make an API token; it is answered once',
    body: tokenBody,
    answer: answers.newToken,
    statuses: [201],
  },
  'DELETE /api/v1/tokens/:id': { summary: 'Revoke a token' },
  'GET /api/v1/sessions': { summary: 'Browsers signed in', answer: answers.sessions },
  'POST /api/v1/sessions': {
    summary: 'Sign a browser in',
    body: signInBody,
    answer: answers.signedIn,
    statuses: [201],
  },
  'DELETE /api/v1/sessions/current': { summary: 'Sign out' },
  'DELETE /api/v1/sessions/:id': { summary: 'End a session' },
  'GET /api/v1/lock': {
    summary: 'Whether the keys of this peer are sealed, and locked now',
    answer: answers.lock,
  },
  'POST /api/v1/lock': {
    summary: 'Lock the keys; the first time with a passphrase or key file that unlocks them',
    body: lockBody,
    answer: answers.lock,
  },
  'PUT /api/v1/lock': { summary: 'Change what unlocks the keys', body: changeLockBody, answer: answers.lock },
  'POST /api/v1/lock/remove': {
    summary: 'Keys without a lock again',
    body: unlockBody,
    answer: answers.lock,
  },
  'POST /api/v1/unlock': { summary: 'Unlock the keys', body: unlockBody, answer: answers.lock },
  'GET /api/v1/password': { summary: 'Whether the page has a password', answer: answers.password },
  'PUT /api/v1/password': { summary: 'Set the password of the page', body: passwordBody },
  'DELETE /api/v1/password': { summary: 'No password any more' },
  'POST /api/v1/events/tickets': {
    summary: 'A ticket for the WebSocket /events',
    answer: answers.ticket,
    statuses: [201],
  },
  'GET /metrics': { summary: 'Metrics for Prometheus', answer: text },
  'GET /metrics/json': { summary: 'Metrics', answer: answers.metrics },
  'GET /metrics/human': { summary: 'Metrics for people', answer: text },
  'GET /api/docs': { summary: 'These pages', answer: 'text/html' },
  'GET /api/openapi.json': { summary: 'This document', answer: answers.anything },
  'GET /api/v1/openapi.json': { summary: 'This document', answer: answers.anything },
  'GET /*': { summary: 'The web page', answer: 'text/html', statuses: [200, 304] },
}

/** What is known of a route; WebDAV's methods share one description. */
export function descriptionOf({ method, path }: Route): Description | undefined {
  if (path === '/dav/*' || path === '/')
    return { summary: `WebDAV ${method}`, body: xml, answer: xml, statuses: [200, 201, 204, 206, 207, 304] }
  return described[`${method} ${path}`]
}

/** `METHOD /path` of everything that is described. */
export const describedRoutes: readonly string[] = Object.keys(described)
