import assert from 'node:assert/strict'
import test from 'node:test'
import { categoryOf, typeOf } from './mime.ts'

test('types and categories of real names', () => {
  const expected: Record<string, [string, string]> = {
    'photo.JPG': ['image/jpeg', 'image'],
    'film.mp4': ['video/mp4', 'video'],
    'song.mp3': ['audio/mpeg', 'audio'],
    'paper.pdf': ['application/pdf', 'document'],
    'letter.docx': ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'document'],
    'book.epub': ['application/epub+zip', 'document'],
    'notes.txt': ['text/plain', 'document'],
    'README.md': ['text/markdown', 'document'],
    'app.ts': ['text/x-typescript', 'code'],
    'app.js': ['text/javascript', 'code'],
    'page.html': ['text/html', 'code'],
    'data.json': ['application/json', 'code'],
    'main.c': ['text/x-c', 'code'],
    'tool.py': ['text/x-python', 'code'],
    'all.zip': ['application/zip', 'archive'],
    'all.tar.gz': ['application/gzip', 'archive'],
    'all.tar.zst': ['application/zstd', 'archive'],
    'picture.svg': ['image/svg+xml', 'image'],
    Makefile: ['application/octet-stream', 'other'],
    '.gitignore': ['application/octet-stream', 'other'],
    'dots.': ['application/octet-stream', 'other'],
    'x.constructor': ['application/octet-stream', 'other'],
  }
  for (const [name, [type, category]] of Object.entries(expected))
    assert.deepEqual([typeOf(name), categoryOf(typeOf(name))], [type, category], name)
})

test('parameters and letter case of a type do not matter', () => {
  assert.equal(categoryOf('Text/HTML; charset=utf-8'), 'code')
  assert.equal(categoryOf(''), 'other')
})
