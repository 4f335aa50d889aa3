/** Schemas of what the API answers, as docs/API.md describes it: answers may grow, so further fields are allowed. */
import { z } from 'zod'
import { catalogue } from '../base/errors.ts'

const hex = z.string().regex(/^[0-9a-f]{64}$/)
const time = z.iso.datetime()
const bytes = z.int().min(0)
const count = z.int().min(0)
const copies = z.looseObject({ have: count, want: count })
const page = <Entry extends z.ZodType>(entry: Entry) =>
  z.looseObject({ entries: z.array(entry), next: z.string().optional() })

/** RFC 9457, with the code of docs/ERRORS.md. */
export const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int().min(200).max(599),
  detail: z.string(),
  code: z.enum(Object.keys(catalogue) as [string, ...string[]]),
  message: z.string(),
  next: z.string(),
})

const putResult = z.looseObject({
  path: z.string(),
  size: bytes,
  hash: hex,
  version: hex,
  copies: count,
  sentBytes: bytes,
  savedBytes: bytes,
})

const treeRestored = z.looseObject({
  path: z.string(),
  at: time,
  size: bytes,
  returned: count,
  changed: count,
  removed: count,
  unchanged: count,
  notKept: count,
  entries: z.array(z.looseObject({ path: z.string(), action: z.enum(['return', 'change', 'remove']) })),
  undo: time.optional(),
})
const restored = z.union([treeRestored, putResult.extend({ hash: z.string() })])

const upload = z.looseObject({
  id: hex,
  path: z.string(),
  part: z.boolean(),
  size: bytes.nullable(),
  offset: bytes,
  expires: time,
  result: putResult.nullable(),
})
const uploads = z.looseObject({ uploads: z.array(upload) })

const listed = z.looseObject({
  path: z.string(),
  kind: z.enum(['file', 'folder', 'link']),
  size: bytes,
  modified: time.nullable(),
  type: z.string(),
  copies: copies.optional(),
  expires: time.optional(),
})
const listing = page(listed)
const versionLine = z.looseObject({
  version: hex,
  path: z.string(),
  kind: z.enum(['file', 'folder', 'link', 'removed']),
  size: bytes,
  modified: time,
  written: time,
  author: z.string(),
  hash: z.string(),
  state: z.enum(['current', 'conflict', 'old', 'held', 'future']),
})
const versionList = page(versionLine)
const fileInfo = z.looseObject({
  path: z.string(),
  kind: z.enum(['file', 'folder', 'link']),
  size: bytes,
  created: time,
  modified: time,
  type: z.string(),
  category: z.string(),
  tags: z.array(z.string()),
  description: z.string(),
  priority: z.boolean(),
  expires: time.optional(),
  versions: z.array(versionLine),
  copies: copies.extend({
    possible: count,
    scheme: z.string(),
    holders: z.array(z.looseObject({ name: z.string(), left: count })),
    statement: z.string(),
  }),
})
const moved = z.looseObject({ path: z.string() })
const removed = z.looseObject({ removed: count })
const madeFolder = z.looseObject({ path: z.string(), kind: z.literal('folder') })

const folder = z.looseObject({
  id: hex,
  name: z.string().optional(),
  policy: z.looseObject({ copies: count }),
  open: z.boolean(),
})
const changedFolder = folder
const rekeyedFolder = folder.extend({
  files: count,
  bytes,
  copies: count,
  rekey: z.looseObject({ files: count, bytes, etaSeconds: count.optional() }).optional(),
})
const folders = z.looseObject({ folders: z.array(rekeyedFolder) })

const peer = z.looseObject({
  peer: z.string(),
  name: z.string(),
  role: z.string(),
  addresses: z.array(z.string()),
  state: z.string(),
})
const addedPeer = peer
const peers = z.looseObject({ peers: z.array(peer) })
const pool = z.looseObject({ id: hex, role: z.string(), peers: count })
const joined = z.looseObject({ pool: hex, peers: count })
const invite = z.looseObject({ code: z.string(), link: z.string(), expires: time })
const discovery = z.looseObject({
  mdns: z.array(z.looseObject({})),
  bootstrap: z.array(z.looseObject({})),
  pex: z.looseObject({}),
  dht: z.looseObject({}),
})
const device = z.looseObject({
  device: hex,
  name: z.string(),
  role: z.string(),
  kind: z.string(),
  state: z.string(),
})
const renamedDevice = device
const devices = z.looseObject({ devices: z.array(device) })
const heldVersions = z.array(z.looseObject({ path: z.string(), version: z.string(), kind: z.string() }))
const held = z.looseObject({ held: heldVersions })
const adopted = devices.extend({ adopted: heldVersions })
const paper = devices.extend({ code: z.string() })

const quota = z.looseObject({
  used: bytes,
  contributed: bytes,
  free: bytes,
  quarantined: bytes,
  perFolder: z.array(z.looseObject({ folder: z.string(), bytes, quota: bytes.optional() })),
})
const candidate = z.looseObject({
  path: z.string(),
  what: z.enum(['file', 'version', 'trash']),
  size: bytes,
  written: time,
  version: hex,
})
const candidates = z.looseObject({ entries: z.array(candidate) })
const setting = z.looseObject({ key: z.string(), origin: z.string(), help: z.string() })
const changedSetting = setting.extend({ live: z.boolean() })
const settings = z.looseObject({ settings: z.array(setting) })
const retiring = z.looseObject({
  peer: z.string(),
  name: z.string(),
  phase: z.enum(['active', 'moving', 'checking', 'safe']),
  chunks: count,
  left: count,
  checked: count,
  statement: z.string(),
})
const status = z.looseObject({
  peer: z.string(),
  name: z.string(),
  url: z.string(),
  addresses: z.array(z.string()),
  version: z.string(),
  pool,
  storage: z.looseObject({ used: bytes, contributed: bytes, free: bytes, quarantined: bytes }),
  files: z.looseObject({ count, bytes }),
  safety: z.looseObject({ safe: count, degraded: count, lost: count }),
  transfers: count,
  uptimeSeconds: z.number().min(0),
})
const safety = z.looseObject({
  safe: count,
  degraded: count,
  lost: count,
  warnings: z.array(z.string()),
})
const workers = z.looseObject({
  workers: z.array(z.looseObject({ name: z.string(), state: z.string(), status: z.string() })),
})
const standing = z.looseObject({
  kind: z.string(),
  subject: z.string().optional(),
  what: z.string(),
  severity: z.enum(['error', 'warning', 'hint']),
  next: z.string(),
})
const problems = z.looseObject({ problems: z.array(standing) })
const alerts = z.looseObject({
  alerts: z.array(
    standing.extend({
      id: z.string(),
      time,
      state: z.enum(['raised', 'cleared', 'noticed']),
      device: z.looseObject({ peer: z.string(), name: z.string() }),
    }),
  ),
})
const testedAlert = z.looseObject({
  outlets: z.array(z.looseObject({ outlet: z.string(), problem: z.string().optional() })),
})
const loss = z.looseObject({
  devices: z.array(z.looseObject({ device: hex, name: z.string() })),
  survive: count,
  lost: count,
  keys: z.boolean(),
  entries: z.array(z.looseObject({ path: z.string(), size: bytes })),
})
const signedReport = z.looseObject({
  report: z.looseObject({
    format: z.literal(1),
    time,
    pool: hex,
    device: z.looseObject({ device: hex, peer: z.string(), name: z.string() }),
    files: z.looseObject({ count, bytes, safe: count, degraded: count, lost: count }),
    folders: z.array(z.looseObject({ id: hex, name: z.string(), files: count, bytes, copies: count })),
    devices: z.array(
      z.looseObject({
        device: hex,
        name: z.string(),
        ifLost: z.looseObject({ survive: count, unknown: count, lost: count, keys: z.boolean() }),
      }),
    ),
    damage: z.looseObject({ checkedBytes: bytes, found: count, healed: count, left: count }),
    problems: z.array(standing),
  }),
  signature: z.looseObject({ device: hex, key: hex, signature: z.string() }),
})
const checkedReport = z.looseObject({
  valid: z.boolean(),
  time,
  device: hex,
  name: z.string(),
  state: z.enum(['active', 'revoked', 'unknown']),
})
const scrubbed = z.looseObject({
  checked: count,
  bytes,
  damaged: count,
  healed: count,
  left: z.array(z.string()),
})
const collected = z.looseObject({
  removed: count,
  bytes,
  held: z.array(z.looseObject({ id: z.string(), reason: z.string(), chunks: count, bytes })),
  quarantined: z.looseObject({ chunks: count, bytes }),
  waiting: z.array(z.string()),
})
const steeredWorkers = workers
const health = z.looseObject({
  status: z.enum(['healthy', 'unhealthy']),
  uptime_seconds: z.int().min(0),
})
const token = z.looseObject({ id: z.string(), name: z.string(), scopes: z.array(z.string()), created: time })
const tokens = z.looseObject({ tokens: z.array(token) })
const newToken = token.extend({
  token: z.string(),
  keyPair: z.looseObject({ accessKeyId: z.string(), secretAccessKey: z.string() }).optional(),
})
const sessions = z.looseObject({
  sessions: z.array(z.looseObject({ id: z.string(), created: time, lastUsed: time, current: z.boolean() })),
})
const signedIn = z.looseObject({ signedIn: z.literal(true) })
const lock = z.looseObject({ locked: z.boolean(), kind: z.enum(['passphrase', 'key file']).nullable() })
const password = z.looseObject({ set: z.boolean() })
const ticket = z.looseObject({ ticket: z.string(), expires: time })
const metrics = z.looseObject({
  files: z.looseObject({ stored: count, retrieved: count, deleted: count }),
  network: z.looseObject({ sent_bytes: bytes, received_bytes: bytes, peers: count }),
  storage: z.looseObject({ used_bytes: bytes, total_bytes: bytes, used_ratio: z.number().min(0) }),
  system: z.looseObject({ errors: count, uptime_seconds: z.number().min(0), started: z.string() }),
})
const anything = z.looseObject({})

/** By what a route answers. */
export const answers = {
  held,
  adopted,
  putResult,
  restored,
  upload,
  uploads,
  listing,
  versionList,
  fileInfo,
  moved,
  removed,
  madeFolder,
  changedFolder,
  rekeyedFolder,
  folders,
  addedPeer,
  peers,
  pool,
  joined,
  invite,
  discovery,
  renamedDevice,
  devices,
  retiring,
  paper,
  quota,
  candidates,
  changedSetting,
  settings,
  status,
  safety,
  workers,
  steeredWorkers,
  scrubbed,
  collected,
  problems,
  alerts,
  signedReport,
  checkedReport,
  testedAlert,
  loss,
  health,
  tokens,
  newToken,
  sessions,
  signedIn,
  password,
  lock,
  ticket,
  metrics,
  anything,
}
