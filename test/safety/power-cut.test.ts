/**
 * Power cuts: a peer writes and compacts on an ext4 image that is mounted through a loop device. While it
 * is stopped the image is copied as it is, without what the kernel has not written back: what a disk holds
 * when the power goes. A peer on the copy must have every acknowledged file, and start in five seconds.
 */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { eventually, temporaryFolder } from '../peer-fixture.ts'
import { SeededRandom } from '../sim/seeded-random.ts'
import { findTool, needsTool } from '../tools.ts'

const cuts = Number(process.env['CUTS'] ?? 5)
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const imageBytes = 2 ** 30
const exec = promisify(execFile)

test(`${cuts} power cuts lose nothing (SEED=${seed})`, needsTool('mkfs.ext4'), async (t) => {
  if (process.getuid?.() !== 0) return t.skip('mounting needs root')
  const folder = await temporaryFolder(t)
  const disk = await mount(await makeImage(join(folder, 'disk')), join(folder, 'mounted'))
  const writer = startWriter(join(disk.place, 'home'))
  let slowestMs = 0
  try {
    const random = new SeededRandom(seed)
    for (let cut = 0; cut < cuts; cut++) {
      const before = writer.files.size
      await eventually('files are acknowledged', () => writer.files.size > before + 3 && writer.compacted > 0)
      await wait(random.number() * 400)
      const { copy, files } = await cutPower(writer, disk.image)
      slowestMs = Math.max(slowestMs, await check(copy, files, join(folder, `cut-${cut}`)))
    }
  } finally {
    await writer.stop()
    await unmount(disk)
  }
  const { files, compacted } = writer
  t.diagnostic(
    `${files.size} files, ${compacted} segments compacted, slowest start ${Math.round(slowestMs)} ms`,
  )
  assert.ok(slowestMs < 5000, `a start took ${slowestMs} ms`)
})

interface Mounted {
  image: string
  place: string
}

async function makeImage(image: string): Promise<string> {
  const file = await open(image, 'w')
  await file.truncate(imageBytes)
  await file.close()
  await exec(findTool('mkfs.ext4')!, ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image])
  return image
}

/** Mounts an image; what its journal says is done first. */
async function mount(image: string, place: string): Promise<Mounted> {
  await mkdir(place)
  await exec('mount', ['-o', 'loop', image, place])
  return { image, place }
}

async function unmount({ image, place }: Mounted): Promise<void> {
  await exec('umount', [place])
  await rm(image)
}

interface Writer {
  process: ReturnType<typeof startProcess>
  /** Acknowledged so far, with their sizes. */
  files: Map<string, number>
  compacted: number
  stop: () => Promise<void>
}

function startProcess(args: readonly string[]) {
  const small = new URL('small-segments.ts', import.meta.url).href
  const program = fileURLToPath(new URL('compaction-writer.ts', import.meta.url))
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'peerstor-test-compiled') }
  return spawn(process.execPath, ['--import', small, program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

function startWriter(home: string): Writer {
  const child = startProcess([home, 'cut'])
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  const writer: Writer = { process: child, files: new Map(), compacted: 0, stop }
  createInterface({ input: child.stdout }).on('line', (line) => {
    // Killed at the end, the last line may be cut.
    if (!line.endsWith('}')) return
    const told = JSON.parse(line) as { path?: string; size?: number; compacted?: number }
    if (told.path !== undefined) writer.files.set(told.path, told.size!)
    writer.compacted = told.compacted ?? writer.compacted
  })
  return writer
}

/** What was acknowledged, and the disk as it is then. */
async function cutPower({ process, files }: Writer, image: string) {
  const copy = `${image}-copy`
  process.kill('SIGSTOP')
  try {
    const acknowledged = new Map(files)
    await exec('cp', ['--sparse=always', '--reflink=never', image, copy])
    return { copy, files: acknowledged }
  } finally {
    process.kill('SIGCONT')
  }
}

/** Starts a peer on the copy and reads everything; gives the milliseconds of the start. */
async function check(copy: string, files: ReadonlyMap<string, number>, place: string): Promise<number> {
  const disk = await mount(copy, place)
  try {
    const list = `${place}.json`
    await writeFile(list, JSON.stringify([...files]))
    const reader = startProcess([join(place, 'home'), 'read', list])
    const lines = createInterface({ input: reader.stdout })
    let startMs = Number.POSITIVE_INFINITY
    lines.on('line', (line) => ({ startMs = startMs } = JSON.parse(line) as { startMs?: number }))
    const closed = once(lines, 'close')
    const [code] = (await once(reader, 'exit')) as [number | null]
    await closed
    assert.equal(code, 0, `${files.size} acknowledged files were not all there`)
    return startMs
  } finally {
    await unmount(disk)
  }
}
