/** Every command: its one-line help, and where it lives. Only the one that runs is loaded. */
import type { BuildCommand } from './context.ts'

export interface CommandEntry {
  summary: string
  load(): Promise<{ build: BuildCommand }>
}

export const commands: Record<string, CommandEntry> = {
  start: { summary: 'start this device', load: () => import('./start.ts') },
  put: { summary: 'store files', load: () => import('./put.ts') },
  get: { summary: 'fetch files', load: () => import('./get.ts') },
  cat: { summary: 'print a file', load: () => import('./cat.ts') },
  ls: { summary: 'list folders and files', load: () => import('./ls.ts') },
  find: { summary: 'search files by name, tag, type, size and time', load: () => import('./find.ts') },
  info: { summary: 'show a file: copies, versions, devices', load: () => import('./info.ts') },
  tag: { summary: 'add and remove tags of a file', load: () => import('./tag.ts') },
  describe: { summary: 'say what a file is about', load: () => import('./describe.ts') },
  priority: {
    summary: 'give a file the most copies, before other files',
    load: () => import('./priority.ts'),
  },
  mv: { summary: 'move or rename', load: () => import('./mv.ts') },
  rm: { summary: 'move to the trash', load: () => import('./rm.ts') },
  trash: { summary: 'list what was removed, bring it back, give it up', load: () => import('./trash.ts') },
  versions: { summary: 'list the versions of a file', load: () => import('./versions.ts') },
  restore: { summary: 'make an earlier version the newest', load: () => import('./restore.ts') },
  status: {
    summary: 'show this device, its pool and how safe the files are',
    load: () => import('./status.ts'),
  },
  peers: {
    summary: 'list the devices of the pool and how they are reached',
    load: () => import('./peers.ts'),
  },
  discover: { summary: 'show where other devices were looked for', load: () => import('./discover.ts') },
  invite: { summary: 'make a code that lets a device join', load: () => import('./invite.ts') },
  join: { summary: 'join the pool of a code', load: () => import('./join.ts') },
  pool: { summary: 'show or leave the pool', load: () => import('./pool.ts') },
  device: { summary: 'list, rename and revoke devices', load: () => import('./device.ts') },
  adopt: { summary: 'take over what a revoked device wrote', load: () => import('./adopt.ts') },
  recovery: {
    summary: 'print the key that brings everything back',
    load: () => import('./recovery.ts'),
  },
  folder: { summary: 'list and change folders and their policies', load: () => import('./folder.ts') },
  quota: { summary: 'show or set how much this device keeps', load: () => import('./quota.ts') },
  doctor: { summary: 'say what is wrong, and what to do', load: () => import('./doctor.ts') },
  simulate: { summary: 'say which files survive the loss of devices', load: () => import('./simulate.ts') },
  report: {
    summary: 'tell how safe all files are, signed by this device',
    load: () => import('./report.ts'),
  },
  scrub: { summary: 'read and compare what lies on this disk', load: () => import('./scrub.ts') },
  gc: { summary: 'drop what nothing needs any more', load: () => import('./gc.ts') },
  workers: { summary: 'show, pause, resume and run background work', load: () => import('./workers.ts') },
  token: { summary: 'make, list and revoke API tokens', load: () => import('./token.ts') },
  password: { summary: 'set the password of the page', load: () => import('./password.ts') },
  lock: {
    summary: 'seal the keys of this device by a passphrase or key file',
    load: () => import('./lock.ts'),
  },
  unlock: { summary: 'open the files of a locked device again', load: () => import('./unlock.ts') },
  export: { summary: 'write keys, settings and records to a file', load: () => import('./export.ts') },
  config: { summary: 'show and change settings', load: () => import('./config.ts') },
  metrics: { summary: 'show the numbers of this device', load: () => import('./metrics.ts') },
  url: { summary: 'print the link to the web page', load: () => import('./url.ts') },
  demo: { summary: 'show four devices keep files safe', load: () => import('./demo-command.ts') },
}

/** Other names that people try; `store`, `delete` and `list` also stand in the shell. */
export const aliases: Record<string, string> = { store: 'put', delete: 'rm', list: 'ls' }
