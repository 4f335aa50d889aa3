/** Every limit of PeerStor. Sizes in bytes, times in milliseconds. Relations are asserted at load. */
import assert from 'node:assert/strict'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB
const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

export const limits = {
  // Cutting and sealing
  chunkMin: 256 * KiB,
  chunkNormal: 512 * KiB,
  chunkMax: 1 * MiB,
  /** Files known to exceed this are cut four times larger. */
  hugeFile: 64 * GiB,
  hugeFactor: 4,
  /** Longest sealed chunk: four times the largest chunk plus Padmé, header, commitment and tag. */
  sealedMax: 5 * MiB,
  sealedMin: 256 + 48,
  manifestFanout: 1024,
  manifestNode: 128 * KiB,
  manifestLevels: 4,
  /** A version with up to this many chunks carries its references in its body. */
  inlineChunks: 8,
  /** Compression is kept when it gains at least this share. */
  compressionGainMin: 0.03,
  /** Codec jobs under this many bytes run on the calling thread. */
  codecInline: 64 * KiB,

  // Records
  batchRecords: 256,
  recordHead: 4 * KiB,
  recordBody: 256 * KiB,
  /** Most bytes before sealing and padding. */
  recordPlaintext: 200 * KiB,
  recordParents: 64,
  batchBytes: 8 * MiB,
  cborDepth: 16,
  /** Records further ahead than this lose concurrent comparisons until their time. */
  clockAheadMs: 5 * minute,
  /** Batches that wait for a certificate or a previous head. */
  waitingBatches: 4096,
  waitingBytes: 32 * MiB,
  /** Last heads that a revocation names. */
  revocationHeads: 256,
  /** Versions that one record adopts. */
  adoptVersions: 4096,
  /** Versions that one record discards. */
  discardVersions: 4096,
  /** Epochs that one epoch seals. */
  epochParents: 256,

  /** Longest time that a folder's policy or an expiry may say, ms: some 8,900 years. */
  policyMs: 2 ** 48,

  // Erasure coding
  /** Most data and parity shards of a chunk. */
  shardsData: 16,
  shardsParity: 8,
  /** Smaller sealed chunks are kept as copies: their shards would cost more than they save. */
  shardedMin: 64 * KiB,
  /** Chunks whose shards one record names. */
  shardedChunks: 256,

  // Names
  pathBytes: 4096,
  nameBytes: 255,
  tags: 64,
  tagBytes: 128,
  descriptionBytes: 16 * KiB,
  typeBytes: 255,
  deviceNameBytes: 128,

  /** What programs keep with a file or folder by WebDAV: bytes of each, and how many files have any. */
  propertyBytes: 4 * KiB,
  propertyFiles: 8192,

  // Disk
  segmentBytes: 64 * MiB,
  /** Kept free for compaction, metadata and deletes. */
  reserveBytes: 64 * MiB,
  /** Free bytes without which no record is written: the index must be able to take what the log has. */
  recordRoomBytes: 8 * MiB,
  /** A segment with less than this share live is compacted. */
  segmentLiveMin: 0.5,
  /** Bulk buffers of all uploads, downloads, fetches and repairs together. */
  bulkBytes: 48 * MiB,
  /** The last chunk of an upload, when it is smaller than this, is written with the record that names it. */
  heldBytes: 64 * KiB,
  /** Content of a file up to this size is kept in memory after it was read, all of them together this much. */
  smallFileBytes: 64 * KiB,
  smallFilesBytes: 16 * MiB,
  /** Opened manifest nodes kept in memory, about 300 KB each. */
  manifestNodesKept: 16,

  /** How long other devices may take to make durable what cannot stay here (`ContentWriter`, passing). */
  passOnMs: 2 * minute,

  // Versions
  keepMs: 30 * day,
  /** Deleting within an hour more than so many files, or so many and this share, is told for some days. */
  deletionsMany: 1000,
  deletionsFew: 50,
  deletionsShare: 0.2,
  deletionsToldMs: 3 * day,

  // Network
  requestHeadBytes: 16 * KiB,
  requestBodyBytes: 4 * MiB,
  /** Head of an answer; what is larger goes into its body. */
  answerHeadBytes: 4 * MiB,
  /** Request line and header fields of the HTTP that carries a request. */
  requestHttpHeaderBytes: 8 * KiB,
  /** A socket between two requests is closed after this by the answering end … */
  requestIdleMs: minute,
  /** … and a good while earlier by the asking end, so that the two never race. */
  requestKeepMs: 20 * second,
  /** How long a refused caller may take to hang up. */
  lingerMs: 1 * second,
  /** Bytes a stranger may send in one request. */
  strangerBodyBytes: 64 * KiB,
  requestTimeoutMs: 30 * second,
  stallTimeoutMs: 30 * second,
  dialTimeoutMs: 10 * second,
  connections: 300,
  connectionsPerPeer: 8,
  inboundPerSecond: 20,
  /** libp2p streams in one connection, and those of them that carry requests. */
  streamsPerConnection: 128,
  requestStreams: 64,
  /** Sockets with requests under way to one peer; further requests wait their turn. */
  requestsPerPeer: 32,
  /** What strangers and ex-members together, and each of them, may hold open. */
  strangerConnections: 32,
  strangerStreams: 4,
  /** After this a connection from somebody who is still a stranger ends: few may not keep all others out. */
  strangerLifeMs: 90 * second,
  /** Unread bytes of one stream; also its largest yamux window. */
  streamWindow: 2 * MiB,
  pingMs: 20 * second,
  laneLifeMs: 24 * hour,
  laneOfferMs: 60 * second,
  lanesPerPeer: 2,
  /** After a lane could not be had, streams serve this long. */
  laneRetryMs: minute,
  /** Pause between attempts to reach a member: doubled from the first to the second. */
  reconnectMinMs: 1 * second,
  reconnectMaxMs: minute,
  /** Peers that mDNS remembers, those of one sender, and addresses of one peer. */
  mdnsPeers: 256,
  mdnsPeersPerSender: 32,
  mdnsAddresses: 4,
  mdnsRoundMs: minute,
  mdnsForgetMs: 5 * minute,
  mdnsAnswerMs: 900,
  peers: 1024,
  peerAddresses: 16,
  addressBytes: 512,
  /** A device's signed statement; those in one notice. */
  statementBytes: 2 * KiB,
  noticeStatements: 4,

  // Feed and replication
  feedChanges: 8192,
  feedBatches: 256,
  offerChunks: 1024,
  /** Offers that one peer may have open here. */
  offersPerPeer: 8,
  getChunks: 64,
  /** Answers with chunks that one peer may be reading here; our own readers and writers need four. */
  getsPerPeer: 16,
  holdingBuckets: 4096,

  // Invites
  inviteLifeMs: 24 * hour,
  invitesOpen: 64,
  /** Addresses that a code names. */
  inviteAddresses: 4,
  /** Letters of a code as pasted. */
  inviteText: 4096,
  /** Peers that a recovery paper names. */
  paperPeers: 4,
  /** Records that come with a new device's certificate. */
  welcomeBytes: 256 * MiB,

  // Repair
  graceMs: 24 * hour,
  graceLastCopyMs: 10 * minute,

  // Rebalance
  /** How long a device keeps a chunk for which it promised so to one that gives its copy up … */
  promiseMs: 10 * minute,
  /** … and within which time of asking that one must have given it up. */
  promiseUseMs: 4 * minute,
  /** Chunks promised at once. */
  promises: 262_144,
  /** A look at all chunks, whatever happens. */
  rebalanceEveryMs: hour,

  // Scrub
  scrubCycleMs: 14 * day,

  // Alerts
  /** After a start nobody is alarmed before the other devices had time to come. */
  alertSettleMs: minute,
  /** How long errors and warnings must last before they are told of, and be gone before the all-clear. */
  alertErrorMs: minute,
  alertWarningMs: 10 * minute,
  alertClearMs: minute,
  /** What happens again and again is told of once in this time. */
  alertAgainMs: hour,
  /** Alerts that are remembered, and those that wait for a webhook or a command. */
  alertsKept: 100,
  alertWebhookMs: 10 * second,
  alertCommandMs: 30 * second,
  /** Longest pause between attempts to deliver one, and how long that is tried. */
  alertRetryMs: hour,
  alertLifeMs: day,

  // Collection
  /** Chunks that one release names. */
  releaseChunks: 1024,
  /** After a release the pins of its own user fall after this time; chunks without a pin wait as long. */
  quarantineMs: 7 * day,
  /** Shorter is refused: members look daily whether something was released that they need. */
  quarantineLeastMs: 2 * day,
  /** Pins of others fall after this. */
  releaseOthersMs: 30 * day,
  collectFirstMs: 5 * minute,
  collectEveryMs: hour,
  /** A pass that would drop more than this share, and so many chunks, that nobody released stops and asks. */
  collectShare: 0.1,
  collectUnasked: 1000,
  /** Nothing is collected while this clock differs by more from those of the connected devices. */
  collectClockMs: hour,

  // HTTP
  httpHeaderBytes: 32 * KiB,
  httpJsonBytes: 1 * MiB,
  /** Bytes of an upload that are gathered before they are cut. */
  bodyBlockBytes: 512 * KiB,
  /** Sockets of the web face at once. */
  httpSockets: 4096,
  httpHeadTimeoutMs: 10 * second,
  /** Over HTTP/2 a reader that takes less in `unreadTimeoutMs` counts as one that takes nothing. With 16 KiB half the rate was left. */
  http2Frame: 64 * KiB,
  /** Unread bytes of one stream of HTTP/2, and streams of one connection. */
  http2Window: 1 * MiB,
  http2Streams: 100,
  http2IdleMs: minute,
  /** Life of a certificate that this device makes for itself, as long as browsers take one; renewed before its end. */
  webCertificateMs: 800 * day,
  webCertificateRenewMs: 30 * day,
  /** A reader that takes nothing for so long is dropped. Large windows open in steps: of one that reads slowly little is seen. */
  unreadTimeoutMs: 2 * minute,
  eventSockets: 128,
  /** Unsent bytes after which a WebSocket that does not read is closed. */
  eventBufferBytes: 1 * MiB,
  /** Larger files of `put -r` are sent by a request of their own. */
  batchFileBytes: 1 * MiB,
  /** Files of this size and more go and come so that they can go on after a break. */
  resumableBytes: 16 * MiB,
  /** How long a command tries to go on while nothing moves. */
  resumeTryMs: minute,
  batchHeaderBytes: 64 * KiB,
  /** Files of one batch stream being written at once, and their bytes. */
  batchFilesInFlight: 128,
  batchBytesInFlight: 8 * MiB,
  /** Ranges of one request; who asks for more gets the whole file. */
  httpRanges: 64,
  /** Smaller answers are sent as they are. */
  encodedBytesMin: 1 * KiB,
  /** Digests of whole contents that are remembered. */
  digestsKnown: 4096,
  /** Uploads that can go on, under way at once. */
  uploads: 1024,
  /** One that nobody goes on with is given up after this; what became of an ended one is told so long. */
  uploadLifeMs: 7 * day,
  uploadEndedMs: 1 * day,
  /** Of uploads that ended, what they became is told; of so many at most. */
  uploadsEnded: 256,
  /** Plaintext bytes after which an upload under way is made durable again. */
  uploadCheckpoint: 16 * MiB,
  /** Chunks of an upload that its row names; more go into blocks of so many. */
  uploadListed: 256,
  /** Pieces of bytes behind the last cut, before they are written as one. */
  uploadTailPieces: 16,
  /** Uploads that one concatenation names. */
  uploadParts: 1000,
  /** Numbered parts of one upload. */
  multipartParts: 10_000,
  listEntries: 1000,
  /** XML in a body, and how deep its elements may lie. */
  xmlBytes: 1 * MiB,
  xmlDepth: 32,
  /** WebDAV: locks at once, and how long one may last. */
  davLocks: 4096,
  davLockMs: hour,
  /** Entries of a folder that are read at once. */
  davPageEntries: 250,
  /** Files of one zip archive: each is remembered until its directory is sent at the end. */
  zipFiles: 250_000,
  /** Thumbnails: bytes and pixels of an image, time to decode it, all kept pictures, life of an idle decoder. */
  thumbnailSource: 32 * MiB,
  thumbnailPixels: 64 * 1024 * 1024,
  thumbnailMs: 10 * second,
  thumbnailsBytes: 16 * MiB,
  thumbnailIdleMs: 10 * second,
  /** S3: how far a signature's time may be from the clock here, and how long a signed address lives. */
  s3SkewMs: 15 * minute,
  s3AddressLifeMs: 7 * day,
  /** XML that names 10,000 parts or 1,000 keys; a line between chunks of a signed body, and its trailers. */
  s3XmlBytes: 4 * MiB,
  s3LineBytes: 1 * KiB,
  /** Names and values of what a client keeps with an object, as S3 has it. */
  s3MetadataBytes: 2 * KiB,
  s3Trailers: 8,
  /** Keys that one request deletes. */
  s3Deletes: 1000,
  sessionLifeMs: 30 * day,
  sessions: 256,
  /** The last use of a token or session is written at most this often. */
  lastUsedEveryMs: minute,
  tokens: 1024,
  passwordLettersMin: 8,
  passwordBytes: 1024,
  /** A file that locks keys. */
  keyFileBytesMin: 32,
  keyFileBytes: 64 * 1024,
  /** KiB of memory that a stretched passphrase may ask for. */
  stretchMemory: 1024 * 1024,
  /** Sign-ins by password that wait for each other. */
  passwordsWaiting: 16,
  eventBacklog: 4096,
  /** The log file is rotated at this size; so many are kept, the one in use included. */
  logFileBytes: 10 * MiB,
  logFiles: 7,
  stopTimeoutMs: 10 * second,
  /** How long `durability=N` waits for the other devices. */
  durabilityTimeoutMs: 30 * second,
  /** How often a peer looks whether the process that began it is still there. */
  parentPollMs: 1 * second,
} as const

assert(limits.chunkMin < limits.chunkNormal && limits.chunkNormal < limits.chunkMax, 'chunk sizes grow')
assert(limits.sealedMax > limits.chunkMax * limits.hugeFactor, 'a sealed huge chunk fits')
assert(limits.segmentBytes > limits.sealedMax, 'a chunk fits a segment')
assert(limits.batchBytes >= limits.batchRecords * limits.recordHead, 'the heads of a full batch fit')
assert(limits.manifestNode >= limits.manifestFanout * 96, 'a full manifest node fits')
assert(limits.sealedMax > limits.manifestNode, 'a manifest node is an ordinary sealed chunk')
assert(
  limits.quarantineMs <= limits.releaseOthersMs,
  'a release fells the pins of others after those of its own user',
)
assert(limits.requestKeepMs < limits.requestIdleMs, 'the asking end closes idle sockets first')
assert(limits.requestStreams < limits.streamsPerConnection, 'ping and identify find a free stream')
assert(limits.requestHeadBytes >= 2 * limits.noticeStatements * limits.statementBytes, 'a full notice fits')
assert(limits.answerHeadBytes > 1.5 * limits.peers * limits.statementBytes, 'hello tells all statements')
assert(limits.strangerLifeMs > limits.requestTimeoutMs, 'a code can be redeemed in one connection')
assert(limits.strangerConnections < limits.connections, 'strangers leave room for members')
assert(limits.bulkBytes > 4 * limits.sealedMax, 'several chunks are in flight at once')
assert(limits.promiseUseMs * 2 < limits.promiseMs, 'a promise holds longer than it is relied on')
assert(limits.batchBytesInFlight >= limits.batchFileBytes, 'a file of a batch fits its window')
