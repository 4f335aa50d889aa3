/** A real peer with an S3 key pair, and real S3 clients as processes against it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { type WebFaceFixture, startFixture } from '../../src/api/web-face.fixture.ts'
import { root } from '../../scripts/runtime.mjs'
import { temporaryFolder } from '../peer-fixture.ts'
import { findTool, type ToolName } from '../tools.ts'

/** A real tree of a few hundred files in nested folders. */
export const realTree = join(root, 'node_modules/zod/src')

export class S3Scene {
  readonly web: WebFaceFixture
  readonly folder: string
  readonly accessKeyId: string
  readonly secretAccessKey: string

  constructor(
    web: WebFaceFixture,
    folder: string,
    keyPair: { accessKeyId: string; secretAccessKey: string },
  ) {
    this.web = web
    this.folder = folder
    this.accessKeyId = keyPair.accessKeyId
    this.secretAccessKey = keyPair.secretAccessKey
  }

  static async start(t: TestContext): Promise<S3Scene> {
    const web = await startFixture(t)
    const { keyPair } = await web.peer.tokens.create({ name: 'clients', scopes: ['admin'], s3: true })
    assert.ok(keyPair !== undefined)
    return new S3Scene(web, await temporaryFolder(t), keyPair)
  }

  get host(): string {
    return `127.0.0.1:${this.web.face.port}`
  }

  /** Runs a client to its end; answers what it printed, fails when it failed. */
  async run(tool: ToolName, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<string> {
    const { AWS_CA_BUNDLE: _, ...environment } = process.env
    const env = {
      ...environment,
      AWS_ACCESS_KEY_ID: this.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.secretAccessKey,
      HOME: this.folder,
      XDG_CONFIG_HOME: this.folder,
      XDG_CACHE_HOME: this.folder,
      no_proxy: '127.0.0.1',
      NO_PROXY: '127.0.0.1',
      ...more,
    }
    const { stdout, stderr } = await promisify(execFile)(findTool(tool) as string, args, {
      env,
      cwd: this.folder,
      timeout: 120_000,
      maxBuffer: 64 * 2 ** 20,
    })
    return stdout + stderr
  }
}

/** Fails unless both folders hold the same files with the same bytes; answers how many. */
export async function requireSameTree(expected: string, found: string): Promise<number> {
  const [wanted, got] = await Promise.all([filesIn(expected), filesIn(found)])
  assert.deepEqual(got, wanted)
  for (const file of wanted)
    assert.ok((await readFile(join(found, file))).equals(await readFile(join(expected, file))), file)
  return wanted.length
}

export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}
