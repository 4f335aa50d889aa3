import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import test from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualClock } from '../../test/manual-clock.ts'
import { limits } from '../base/limits.ts'
import { BodyReader } from './body-reader.ts'

const blockBytes = 100_000

function open(): { body: PassThrough; clock: ManualClock; reader: BodyReader } {
  const body = new PassThrough()
  const clock = new ManualClock()
  return { body, clock, reader: new BodyReader(body as unknown as IncomingMessage, clock, blockBytes) }
}

test('a body comes whole and in order, in blocks of the size asked for but the last', async () => {
  const { body, reader } = open()
  const sent = randomBytes(1_234_567)
  for (let at = 0; at < sent.length; at += 33_333) body.write(Buffer.from(sent.subarray(at, at + 33_333)))
  body.end()
  const blocks: Uint8Array[] = []
  for (let block = await reader.next(); block !== undefined; block = await reader.next()) blocks.push(block)
  assert.ok(Buffer.concat(blocks).equals(sent))
  assert.ok(blocks.slice(0, -1).every(({ length }) => length >= blockBytes))
})

test('who does not ask for the next block stops the sender', async () => {
  const { body, reader } = open()
  let sent = 0
  const sending = (async () => {
    for (; sent < 100; sent++)
      if (!body.write(Buffer.alloc(10_000)))
        await new Promise<unknown>((resolve) => body.once('drain', resolve))
  })()
  await reader.next()
  for (let turns = 0; turns < 100; turns++) await turn()
  assert.ok(sent < 60, `${sent} pieces were taken for one block of ten`)
  void sending.then(() => body.end())
  let blocks = 1
  while ((await reader.next()) !== undefined) blocks += 1
  assert.ok(blocks >= 5)
})

test('what came before the connection broke is given, then the error', async () => {
  const { body, reader } = open()
  body.write(Buffer.from('half'))
  await turn()
  body.destroy(new Error('gone'))
  assert.equal(Buffer.from((await reader.next())!).toString(), 'half')
  await assert.rejects(reader.next(), /gone/)
})

test('a slow sender may go on for hours, a silent one is given up', async () => {
  const { body, clock, reader } = open()
  const block = reader.next()
  for (let sent = 0; sent < 10; sent++) {
    body.write(Buffer.alloc(5000))
    await turn()
    await clock.advance(limits.stallTimeoutMs - 1)
  }
  assert.equal(body.destroyed, false)
  await clock.advance(2 * limits.stallTimeoutMs)
  assert.equal((await block)?.length, 50_000)
  await assert.rejects(reader.next(), { code: 'TIMED_OUT' })
})
