/** PeerStor as a library: `import { createPeer } from 'peerstor'`. docs/LIBRARY.md shows how to use it. */
export { createPeer } from './peer/create-peer.ts'
export { PeerStorError, type ErrorCode } from './base/errors.ts'
export type { Peer, PeerOptions, PeerStatus, PeerLine, PeerEvent, NumberedEvent } from './peer/peer.ts'
export type {
  Files,
  FileInfo,
  ListedEntry,
  PutOptions,
  PutResult,
  Download,
  GetOptions,
} from './files/files.ts'
export type { Settings, SettingsValues } from './peer/settings.ts'
