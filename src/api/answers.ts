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

export const putResult = z.looseObject({
  path: z.string(),
  size: bytes,
  hash: hex,
  version: hex,
  copies: count,
  sentBytes: bytes,
  savedBytes: bytes,
})

export const upload = z.looseObject({
  id: hex,
  path: z.string(),
  part: z.boolean(),
  size: bytes.nullable(),
  offset: bytes,
  expires: time,
  result: putResult.nullable(),
})
export const uploads = z.looseObject({ uploads: z.array(upload) })

const listed = z.looseObject({
  path: z.string(),
  kind: z.enum(['file', 'folder', 'link']),
  size: bytes,
  modified: time.nullable(),
  type: z.string(),
  copies: copies.optional(),
})
export const listing = page(listed)
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
export const versionList = page(versionLine)
export const fileInfo = z.looseObject({
  path: z.string(),
  kind: z.enum(['file', 'folder', 'link']),
  size: bytes,
  created: time,
  modified: time,
  type: z.string(),
  category: z.string(),
  tags: z.array(z.string()),
  description: z.string(),
  versions: z.array(versionLine),
  copies: copies.extend({
    possible: count,
    scheme: z.string(),
    holders: z.array(z.looseObject({ name: z.string() })),
  }),
})
export const moved = z.looseObject({ path: z.string() })
export const removed = z.looseObject({ removed: count })
export const madeFolder = z.looseObject({ path: z.string(), kind: z.literal('folder') })

const folder = z.looseObject({
  id: hex,
  name: z.string().optional(),
  policy: z.looseObject({ copies: count }),
  open: z.boolean(),
})
export const changedFolder = folder
export const folders = z.looseObject({
  folders: z.array(folder.extend({ files: count, bytes, copies: count })),
})

const peer = z.looseObject({
  peer: z.string(),
  name: z.string(),
  role: z.string(),
  addresses: z.array(z.string()),
  state: z.string(),
})
export const addedPeer = peer
export const peers = z.looseObject({ peers: z.array(peer) })
export const pool = z.looseObject({ id: hex, role: z.string(), peers: count })
export const joined = z.looseObject({ pool: hex, peers: count })
export const invite = z.looseObject({ code: z.string(), link: z.string(), expires: time })
export const discovery = z.looseObject({
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
export const renamedDevice = device
export const devices = z.looseObject({ devices: z.array(device) })
const heldVersions = z.array(z.looseObject({ path: z.string(), version: z.string(), kind: z.string() }))
export const held = z.looseObject({ held: heldVersions })
export const adopted = devices.extend({ adopted: heldVersions })
export const paper = devices.extend({ code: z.string() })

export const quota = z.looseObject({
  used: bytes,
  contributed: bytes,
  free: bytes,
  perFolder: z.array(z.looseObject({ folder: z.string(), bytes })),
})
const setting = z.looseObject({ key: z.string(), origin: z.string(), help: z.string() })
export const changedSetting = setting.extend({ live: z.boolean() })
export const settings = z.looseObject({ settings: z.array(setting) })
export const status = z.looseObject({
  peer: z.string(),
  name: z.string(),
  url: z.string(),
  addresses: z.array(z.string()),
  version: z.string(),
  pool,
  storage: z.looseObject({ used: bytes, contributed: bytes, free: bytes }),
  files: z.looseObject({ count, bytes }),
  safety: z.looseObject({ safe: count, degraded: count, lost: count }),
  transfers: count,
  uptimeSeconds: z.number().min(0),
})
export const safety = z.looseObject({
  safe: count,
  degraded: count,
  lost: count,
  warnings: z.array(z.string()),
})
export const workers = z.looseObject({
  workers: z.array(z.looseObject({ name: z.string(), state: z.string(), status: z.string() })),
})
export const health = z.looseObject({
  status: z.enum(['healthy', 'unhealthy']),
  uptime_seconds: z.int().min(0),
})
const token = z.looseObject({ id: z.string(), name: z.string(), scopes: z.array(z.string()), created: time })
export const tokens = z.looseObject({ tokens: z.array(token) })
export const newToken = token.extend({ token: z.string() })
export const sessions = z.looseObject({
  sessions: z.array(z.looseObject({ id: z.string(), created: time, lastUsed: time, current: z.boolean() })),
})
export const signedIn = z.looseObject({ signedIn: z.literal(true) })
export const password = z.looseObject({ set: z.boolean() })
export const ticket = z.looseObject({ ticket: z.string(), expires: time })
export const metrics = z.looseObject({
  files: z.looseObject({ stored: count, retrieved: count, deleted: count }),
  network: z.looseObject({ sent_bytes: bytes, received_bytes: bytes, peers: count }),
  storage: z.looseObject({ used_bytes: bytes, total_bytes: bytes, used_ratio: z.number().min(0) }),
  system: z.looseObject({ errors: count, uptime_seconds: z.number().min(0), started: z.string() }),
})
export const anything = z.looseObject({})
