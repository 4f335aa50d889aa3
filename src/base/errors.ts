/**
 * Every error a person or a script can meet: one class, one catalogue.
 *
 * `message` names what failed and which thing; `{name}` is filled from the error's data. `next` is
 * the next step. docs/ERRORS.md lists the same codes; a test compares the two both ways.
 */
interface CatalogueRow {
  /** What failed, with `{placeholders}` for the thing, the bound and the found value. */
  message: string
  /** What to do next. */
  next: string
  /** HTTP status. */
  status: number
  /** Process exit code; 1 when left out. */
  exit?: number
}

const row = (status: number, message: string, next: string, exit?: number): CatalogueRow =>
  exit === undefined ? { message, next, status } : { message, next, status, exit }

export const catalogue = {
  // Input
  BAD_ID: row(400, '{what} {value} is no valid id', 'copy the id again from the list that shows it'),
  BAD_INPUT: row(400, '{what} is not valid: {reason}', 'correct {what} and try again'),
  BAD_USAGE: row(400, '{reason}', 'see: peerstor help', 2),
  BAD_PATH: row(400, 'path {path} is not valid: {reason}', 'choose another name'),
  BAD_RANGE: row(
    416,
    'range {range} lies outside the {size} bytes of {path}',
    'ask for a range inside the file',
  ),
  TOO_LARGE: row(413, '{what} is larger than the limit of {limit} bytes', 'send less at once'),
  // Files
  NOT_FOUND: row(404, '{what} {name} does not exist', 'list what is there: peerstor ls'),
  METHOD_NOT_ALLOWED: row(405, '{address} does not take {method}', 'it takes {allowed}'),
  ALREADY_EXISTS: row(409, '{what} {name} exists already', 'choose another name'),
  IS_FOLDER: row(409, '{path} is a folder', 'name a file in it, or use -r'),
  PRECONDITION_FAILED: row(
    412,
    '{path} has changed since it was read',
    'read it again, then repeat the change',
  ),
  SOURCE_CHANGED: row(409, '{path} changed or vanished while it was read', 'run the command again'),
  LOCKED: row(423, '{path} is locked by another program', 'close it there, or wait until its lock ends'),
  NO_PARENT: row(409, 'the folder of {path} does not exist', 'make it first'),
  TOO_MANY: row(507, 'there are {limit} {what} already, the most that are kept', 'remove some of them first'),
  QUOTA_FULL: row(
    507,
    '{where} of {limit} bytes is full: {what} needs {needed} bytes',
    'see what could go: peerstor quota free, or raise it with: {raise}',
  ),
  DISK_FULL: row(
    507,
    'the disk that holds {path} is full',
    'free space on that disk; nothing stored was lost',
  ),
  DIGEST_MISMATCH: row(
    400,
    'the bytes received for {path} do not match the digest sent with them',
    'send the file again',
  ),
  // Uploads that can go on
  UPLOAD_UNKNOWN: row(404, 'upload {id} does not exist', 'begin a new one'),
  UPLOAD_EXPIRED: row(410, 'upload {id} was given up for too long and has expired', 'begin a new one'),
  UPLOAD_OFFSET: row(
    409,
    'upload {id} goes on at byte {offset}, not at {asked}',
    'ask where it stands, then go on there',
  ),
  UPLOAD_BUSY: row(
    423,
    'upload {id} is being written by another request',
    'wait a moment, ask where it stands, then go on there',
  ),
  UPLOAD_CHECKSUM: row(
    460,
    'the bytes received for upload {id} do not match their checksum',
    'send them again',
  ),
  UPLOAD_PROTOCOL: row(412, 'version {found} of the tus protocol is not spoken here', 'use version 1.0.0'),
  BAD_TYPE: row(415, 'a body of type {found} cannot be taken here', 'send {wanted}'),
  NO_THUMBNAIL: row(404, 'there is no thumbnail of {path}: {reason}', 'open the file itself'),
  PART_UNKNOWN: row(
    400,
    'part {number} of upload {id} is not here as named',
    'list its parts, then send the part again',
  ),
  PART_ORDER: row(
    400,
    'the parts of upload {id} are not named in ascending order',
    'name each once, in order',
  ),
  UNSUPPORTED: row(501, '{what} is not supported', 'leave it out; docs/API.md lists what is'),
  FOLDER_NOT_EMPTY: row(409, 'folder {name} still holds files', 'remove them first'),
  // Integrity
  CHUNK_DAMAGED: row(
    500,
    'chunk {id} is damaged on {source}',
    'nothing: another copy is fetched; see peerstor doctor if this stays',
  ),
  CHUNK_INVALID: row(
    500,
    'chunk {id} was written wrongly: {reason}',
    'restore an older version: peerstor versions PATH',
  ),
  CHUNK_UNAVAILABLE: row(
    503,
    'chunk {id} could not be had from any of {count} holders',
    'bring one of its holders online: peerstor info PATH',
  ),
  SEGMENT_DAMAGED: row(500, 'segment {name} is damaged at byte {offset}', 'run: peerstor scrub'),
  STORAGE_FAILED: row(
    500,
    'the storage folder {path} failed: {reason}',
    'check the disk, then restart the peer',
  ),
  STORAGE_MISSING: row(
    503,
    'the storage folder {path} is missing or read-only',
    'connect the disk or set --storage, then restart',
  ),
  FORMAT_UNKNOWN: row(
    500,
    '{what} has format {found}; this program knows up to {known}',
    'update PeerStor on this device',
  ),
  // Records
  RECORD_INVALID: row(400, 'a record of device {device} is not valid: {reason}', 'nothing: it was refused'),
  RECORD_UNKNOWN: row(404, 'record {hash} is not known here', 'wait until the peers have caught up'),
  KEY_UNAVAILABLE: row(
    403,
    'this device has no key for folder {folder}',
    'let a device that can open the folder come online',
  ),
  // People and access
  NOT_SIGNED_IN: row(401, 'no valid token or session', 'open the link that peerstor url prints'),
  FORBIDDEN: row(403, '{role} may not {action}', 'ask an admin of the pool'),
  ACCESS_KEY_UNKNOWN: row(
    403,
    'the S3 access key {key} is not known here, or has ended',
    'make one: peerstor token create --s3',
  ),
  SIGNATURE_REFUSED: row(
    403,
    'the S3 signature does not match this request',
    'check the secret key, and that no proxy changes the request',
  ),
  SIGNATURE_EXPIRED: row(403, 'the signed address ended at {expired}', 'sign it again'),
  CLOCK_SKEWED: row(
    403,
    'the request was signed at {signed}, more than {minutes} minutes from the time here, {now}',
    'set the clocks of both devices',
  ),
  ORIGIN_REFUSED: row(
    403,
    'request from {origin} refused',
    'open the page by an address of this device, or set --public-url',
  ),
  HOST_REFUSED: row(
    421,
    'host name {host} is not one of this peer',
    'open the page by its IP address, or set --public-url',
  ),
  RATE_LIMITED: row(429, 'too many requests from {who}', 'wait {seconds} seconds'),
  // Pool
  INVITE_INVALID: row(400, 'the code is not an invite: {reason}', 'copy the whole code again'),
  INVITE_USED: row(409, 'the code was used already', 'make a new one: peerstor invite'),
  INVITE_EXPIRED: row(410, 'the code expired at {expires}', 'make a new one: peerstor invite'),
  INVITE_REFUSED: row(
    403,
    'the inviting device refused the code: {reason}',
    'make a new one: peerstor invite',
  ),
  INVITER_UNREACHABLE: row(
    503,
    'the inviting device {peer} could not be reached at {addresses}',
    'start it, or name an address with --bootstrap',
  ),
  RECOVERY_INVALID: row(
    400,
    'the recovery code is not valid: {reason}',
    'compare every letter with the paper; white space does not matter',
  ),
  RECOVERY_REFUSED: row(
    403,
    'the pool refused the recovery key: {reason}',
    'use a later paper, or let another device of yours invite: peerstor invite',
  ),
  RECOVERY_UNREACHABLE: row(
    503,
    'no device of the pool could be reached at {addresses}',
    'start one of them, or name its address with --bootstrap',
  ),
  RECOVERY_GONE: row(
    409,
    'the recovery key is not on this device: {reason}',
    'make a further one: peerstor recovery print --new',
  ),
  POOL_NOT_EMPTY: row(
    409,
    'this peer already has files in its own pool',
    'take them along: peerstor join CODE --bring-files, or use another --home',
  ),
  POOL_OTHER: row(
    409,
    'this home is already in another pool with other devices',
    'leave it first: peerstor pool leave, or use another --home',
  ),
  FILES_LEFT: row(
    500,
    '{count} files of the pool before cannot be read, the first {path}: {reason}',
    'nothing: they stay on this disk, and the next start tries again',
  ),
  LAST_COPIES: row(
    409,
    '{count} of the files are whole on no other device',
    'let the other devices catch up (peerstor status), add one with peerstor invite, or remove the files first',
  ),
  LEAVE_UNHEARD: row(
    409,
    'no other device of the pool can be reached, so none would know that this one leaves, nor what it wrote last',
    'start one of them, or use another --home',
  ),
  STORAGE_ONLY: row(
    403,
    'this device only keeps sealed chunks for its pool: it can neither read nor write files',
    'use another device of the pool: peerstor peers',
  ),
  WORKER_UNKNOWN: row(404, 'there is no worker {name}', 'list them: peerstor workers'),
  WORKER_PAUSED: row(409, 'worker {name} is paused', 'let it go on first: peerstor workers resume {name}'),
  REVOKE_SELF: row(409, '{name} is this device itself', 'leave the pool with: peerstor pool leave'),
  RETIRE_ALONE: row(
    409,
    'no other device of the pool keeps files, so there is nowhere to move them',
    'add one with: peerstor invite',
  ),
  RETIRE_KEYS: row(
    409,
    'the keys of your files are on this device only',
    'put them on paper with: peerstor recovery print and peerstor recovery confirm, or add a second device of your own: peerstor invite',
  ),
  DEVICE_UNKNOWN: row(404, '{name} is no device of this pool', 'list them: peerstor device list'),
  DEVICE_AMBIGUOUS: row(
    409,
    '{name} names more than one device: {matches}',
    'use the id that peerstor device list shows',
  ),
  PEER_UNREACHABLE: row(503, 'peer {peer} cannot be reached: {reason}', 'check that it runs: peerstor peers'),
  PEER_REFUSED: row(
    403,
    'peer {peer} refused {request} for role {role}',
    'check its membership: peerstor device list',
  ),
  PEER_MISBEHAVED: row(
    502,
    'peer {peer} sent a wrong answer to {request}: {reason}',
    'nothing: its answer was dropped',
  ),
  DURABILITY_PENDING: row(
    202,
    '{path} is stored on {have} of the {want} devices asked for',
    'nothing: it goes on by itself',
  ),
  // The peer itself
  PEER_NOT_RUNNING: row(503, 'no peer is running for {home}', 'start it: {start}'),
  HOME_LOCKED: row(409, 'another process uses {home}', 'stop it, or choose another --home'),
  PEER_LOCKED: row(
    423,
    'the keys of this peer are locked: it only keeps sealed chunks',
    'unlock it: peerstor unlock',
  ),
  LOCK_WRONG: row(403, 'that is not the {kind} that the keys are locked with', 'try again: peerstor unlock'),
  LOCK_NONE: row(409, 'the keys of this peer have no lock', 'lock them: peerstor lock'),
  LOCK_SET: row(
    409,
    'this cannot be done while the keys of this peer have a lock',
    'remove it first: peerstor lock --remove',
  ),
  EXPORT_INVALID: row(400, '{path} cannot be restored: {reason}', 'use another export'),
  HOME_NOT_EMPTY: row(
    409,
    '{home} has keys already: a device is restored into an empty home only',
    'choose another --home',
  ),
  PORT_BUSY: row(500, 'no free port from {port} on {host}', 'choose another with --port'),
  SETTING_UNKNOWN: row(400, 'no setting is named {key}{hint}', 'list them: peerstor config', 2),
  SETTING_LATER: row(
    501,
    'setting {key} is not available yet',
    'leave it out; what there is: peerstor config',
    2,
  ),
  SETTING_INVALID: row(
    400,
    'setting {key} = {value} is not valid: {reason}',
    'correct it: peerstor config set {key} VALUE',
    2,
  ),
  ALERT_REFUSED: row(502, '{reason}', 'look at alert.webhook and alert.command: peerstor config'),
  SETTING_LOCAL: row(
    403,
    'setting {key} can start programs: only a command on the device itself may change it',
    'run there: peerstor config set {key} VALUE',
  ),
  TIMED_OUT: row(504, '{what} did not end within {timeoutMs} ms', 'try again'),
  INTERRUPTED: row(499, '{what} was interrupted', 'run it again: it goes on where it stopped', 130),
  NOT_HERE: row(501, '{what} is not available here: {reason}', 'see docs/ARCHITECTURE.md'),
  INTERNAL: row(500, 'an unexpected error: {reason}', 'please report it with the log of this peer'),
} as const satisfies Record<string, CatalogueRow>

export type ErrorCode = keyof typeof catalogue
export type ErrorData = Record<string, string | number | boolean | readonly string[] | undefined>

/** A catalogue error. `data` fills the text and travels in problem documents. */
export class PeerStorError extends Error {
  override readonly name = 'PeerStorError'
  readonly code: ErrorCode
  readonly data: ErrorData
  readonly next: string
  readonly status: number
  readonly exit: number

  constructor(code: ErrorCode, data: ErrorData = {}, cause?: unknown) {
    const entry: CatalogueRow = catalogue[code]
    super(fill(entry.message, data), cause === undefined ? undefined : { cause })
    this.code = code
    this.data = data
    this.next = fill(entry.next, data)
    this.status = entry.status
    this.exit = entry.exit ?? 1
  }

  /** The form of `--json` errors and of problem documents. */
  toJSON(): { code: ErrorCode; message: string; next: string } {
    return { code: this.code, message: this.message, next: this.next }
  }
}

/** `QUOTA_FULL` of this device's contributed space; bytes. */
export function contributionFull(limit: number, what: string, needed: number): PeerStorError {
  const words = { where: 'the contributed space', raise: 'peerstor quota set SIZE' }
  return fail('QUOTA_FULL', { ...words, limit, what, needed })
}

/** Makes a catalogue error: `throw fail('NOT_FOUND', { what: 'file', name })`. */
export function fail(code: ErrorCode, data: ErrorData = {}, cause?: unknown): PeerStorError {
  return new PeerStorError(code, data, cause)
}

/** Any thrown value as a catalogue error; what is not one becomes `INTERNAL` with its cause kept. */
export function asPeerStorError(thrown: unknown): PeerStorError {
  if (thrown instanceof PeerStorError) return thrown
  if (thrown instanceof Error && thrown.name === 'AbortError')
    return fail('INTERRUPTED', { what: 'the operation' }, thrown)
  const { code, path } = (thrown ?? {}) as { code?: unknown; path?: unknown }
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return fail('DISK_FULL', { path: typeof path === 'string' ? path : 'the data of this peer' }, thrown)
  return fail('INTERNAL', { reason: thrown instanceof Error ? thrown.message : String(thrown) }, thrown)
}

/** Whether a thrown value is the catalogue error `code`. */
export function isCode(thrown: unknown, code: ErrorCode): boolean {
  return thrown instanceof PeerStorError && thrown.code === code
}

function fill(text: string, data: ErrorData): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, key: string) => {
    const value = data[key]
    return value === undefined ? whole : Array.isArray(value) ? value.join(', ') : String(value)
  })
}
