/** The verbs as one object, for one caller: what he may do is asked by each verb of `parts.require`. */
import { change } from './change.ts'
import { copy } from './copy.ts'
import { describe } from './describe.ts'
import { discardVersions, emptyTrash } from './discard.ts'
import { download } from './download.ts'
import type { FilesParts } from './files-parts.ts'
import type { Files } from './files.ts'
import { categories, find } from './find.ts'
import { info } from './info.ts'
import { largeFiles } from './large-files.ts'
import { list, look } from './list.ts'
import { makeFolder } from './make-folder.ts'
import { move } from './move.ts'
import { isFolder, openPlace } from './place.ts'
import { remove } from './remove.ts'
import { openMultipart } from './open-multipart.ts'
import { openUploads } from './open-uploads.ts'
import { restore } from './restore.ts'
import { restoreAt } from './restore-at.ts'
import { scan } from './scan.ts'
import { thumbnail } from './thumbnail.ts'
import { trash } from './trash.ts'
import { upload } from './upload.ts'
import { versions } from './versions.ts'

export function openFiles(parts: FilesParts): Files {
  return {
    put: (path, source, options) => upload(parts, path, source, options),
    get: (path, options) => download(parts, path, options),
    info: (path, options) => info(parts, path, options),
    list: (path, options) => list(parts, path, options),
    find: (query) => find(parts, query),
    large: (options) => largeFiles(parts, options),
    categories: (folder) => categories(parts, folder),
    describe: (path, description) => describe(parts, path, description),
    has: (path) => has(parts, path),
    look: (path) => look(parts, path),
    change: (path, changes) => change(parts, path, changes),
    thumbnail: (path, edge, options) => thumbnail(parts, path, edge, options),
    scan: (folder, options) => scan(parts, folder, options),
    makeFolder: (path) => makeFolder(parts, path),
    move: (from, to, options) => move(parts, from, to, options),
    copy: (from, to, options) => copy(parts, from, to, options),
    remove: (path, options) => remove(parts, path, options),
    trash: (folder, options) => trash(parts, folder, options),
    emptyTrash: (path) => emptyTrash(parts, path),
    versions: (path) => versions(parts, path),
    discardVersions: (path, found) => discardVersions(parts, path, found),
    uploads: openUploads(parts),
    multipart: openMultipart(parts),
    restore: (path, options) => restore(parts, path, options),
    restoreAt: (path, at, options) => restoreAt(parts, path, at, options),
  }
}

/** Whether a file or folder shows at a path. */
function has(parts: FilesParts, path: string): boolean {
  const place = openPlace(parts, 'read', path)
  return parts.store.read.entryAt(place.id, place.path) !== undefined || isFolder(parts, place)
}
