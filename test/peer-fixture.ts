/** Whole peers in this process, each with a temporary home, on loopback alone. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createPeer } from '../src/peer/create-peer.ts'
import type { Peer, PeerOptions } from '../src/peer/peer.ts'

/** A folder that goes away with the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'peerstor-test-'))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

export interface TestPeerOptions extends Pick<PeerOptions, 'join' | 'restore' | 'settings' | 'onLog'> {
  home: string
}

/** A started peer that is stopped with the test, at the latest. */
export async function startPeer(t: TestContext, options: TestPeerOptions): Promise<Peer> {
  const peer = await createPeer({
    onLog: () => undefined,
    ...options,
    settings: {
      host: '127.0.0.1',
      port: 0,
      'peer-port': 0,
      mdns: false,
      contribute: 4 * 2 ** 30,
      ...options.settings,
    },
  })
  t.after(() => peer.stop())
  await peer.start()
  return peer
}

/** A source that hands out copies: a source's buffers are given away. */
export async function* sourceOf(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Uint8Array.from(part)
}

export const text = (content: string): AsyncGenerator<Uint8Array> => sourceOf(Buffer.from(content))

export async function contentOf(peer: Pick<Peer, 'files'>, path: string, more: object = {}): Promise<Buffer> {
  const { bytes } = await peer.files.get(path, more)
  return Buffer.concat(await Array.fromAsync(bytes))
}

/** Waits until `holds` is true; looks every 50 ms. */
export async function eventually(what: string, holds: () => Promise<boolean> | boolean, withinMs = 20_000) {
  const until = performance.now() + withinMs
  while (!(await holds())) {
    assert.ok(performance.now() < until, `${what}: not within ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
