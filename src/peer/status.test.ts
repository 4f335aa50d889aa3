import assert from 'node:assert/strict'
import { test } from 'node:test'
import { safetyInWords } from './status.ts'
import { warningText, zoneWarning } from './warnings.ts'

test('copies that all lie in one zone are warned of', () => {
  const member = (zone: string | undefined, keeps = true): { zone: string | undefined; keeps: boolean } => ({
    zone,
    keeps,
  })
  const [warning] = zoneWarning([member('home'), member('home')])
  assert.match(
    warningText(warning!),
    /^all 2 devices .* one zone.* name its zone: peerstor config set zone NAME$/,
  )
  assert.equal(zoneWarning([member('home'), member('home'), member('office', false)]).length, 1)
  assert.deepEqual(zoneWarning([member('home'), member('office')]), [])
  assert.deepEqual(zoneWarning([member('home'), member(undefined)]), [])
  assert.deepEqual(zoneWarning([member(undefined), member(undefined)]), [])
  assert.deepEqual(zoneWarning([member('home')]), [])
})

test('with fewer devices than copies asked for the statement says what is missing', () => {
  const all = { safe: 9, degraded: 0, lost: 0 }
  const short = { devices: 2, asked: 3 }
  assert.match(safetyInWords({ safe: 0, degraded: 9, lost: 0 }, 'device', short), /^not safe yet: one device/)
  assert.match(
    safetyInWords(all, undefined, short),
    /all 9 files have a copy on each of 2 devices, 3 copies are asked for.*invite/,
  )
  assert.equal(safetyInWords(all, undefined, undefined), 'all 9 files have all wanted copies')
  assert.match(safetyInWords({ safe: 7, degraded: 2, lost: 0 }, undefined, short), /^2 files wait/)
  assert.match(safetyInWords({ safe: 7, degraded: 1, lost: 1 }, undefined, short), /^1 file can not be read/)
  assert.equal(safetyInWords({ safe: 0, degraded: 0, lost: 0 }, undefined, short), 'no files yet')
})
