/** What is taken for XML, what is refused, and that what is written reads as what it was. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { limits } from '../base/limits.ts'
import { elementsOf, parseXml, textOf, writeXml, type XmlElement } from './xml.ts'

test('namespaces are resolved, text and CDATA are one', () => {
  const root = parseXml(
    '<?xml version="1.0" encoding="utf-8"?><a:x xmlns:a="DAV:" b="1" a:c="2"><y xmlns="u:v">&lt;&#228;<![CDATA[<&]]></y><z/></a:x>',
  )
  assert.equal(root.name, '{DAV:}x')
  assert.deepEqual(root.attributes, [
    { name: 'b', value: '1' },
    { name: '{DAV:}c', value: '2' },
  ])
  assert.deepEqual(
    elementsOf(root).map(({ name }) => name),
    ['{u:v}y', '{}z'],
  )
  assert.equal(textOf(root), '<ä<&')
})

test('written elements read as they were', () => {
  const documents = [
    '<x/>',
    '<p:x xmlns:p="a&amp;b" q="&quot;&#10;\'" xml:lang="de" p:r="s">a<y xmlns="n">&lt;b&gt;</y><z>𐀀&#13;</z></p:x>',
  ]
  const merged = (element: XmlElement): unknown => ({ ...element, children: element.children.map(text) })
  const text = (child: XmlElement | string): unknown => (typeof child === 'string' ? child : merged(child))
  for (const document of documents) {
    const read = parseXml(document)
    assert.deepEqual(merged(parseXml(writeXml(read))), merged(read))
  }
})

test('what is no XML, deep, or has a document type is refused', () => {
  const bomb = `<!DOCTYPE x [${Array.from({ length: 20 }, (_, n) => `<!ENTITY e${n + 1} "&e${n};&e${n};">`).join('')}]><x>&e20;</x>`
  const refused = [
    '',
    ' ',
    'text',
    '<x>',
    '<x></y>',
    '<x/><y/>',
    '<p:x/>',
    '<x xmlns:p=""><p:y/></x>',
    '<x>&unknown;</x>',
    '<x>\u0000</x>',
    '<x a="1" a="2"/>',
    bomb,
    '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
    '<x>'.repeat(limits.xmlDepth + 1) + '</x>'.repeat(limits.xmlDepth + 1),
    '<x>'.repeat(100_000),
  ]
  for (const document of refused)
    assert.throws(() => parseXml(document), { code: 'BAD_INPUT' }, document.slice(0, 60))
  parseXml('<x>'.repeat(limits.xmlDepth) + '</x>'.repeat(limits.xmlDepth))
})
