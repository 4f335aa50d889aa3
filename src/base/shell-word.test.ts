import assert from 'node:assert/strict'
import test from 'node:test'
import { shellWord } from './shell-word.ts'

test('a name is one word of a command, whatever it holds', () => {
  assert.equal(shellWord('files/a-b_c.txt'), 'files/a-b_c.txt')
  assert.equal(shellWord('my photos'), "'my photos'")
  assert.equal(shellWord("x'; rm -rf ~; '"), String.raw`'x'\''; rm -rf ~; '\'''`)
  assert.equal(shellWord('$(date)'), "'$(date)'")
  assert.equal(shellWord(''), "''")
})
