import assert from 'node:assert/strict'
import test from 'node:test'
import { isCode } from '../base/errors.ts'
import { childrenOf, element, parseXml, textOf, xmlDocument } from './xml.ts'

test('a document is read with its names, namespaces and text', () => {
  const root = parseXml(
    '<?xml version="1.0"?><a:D xmlns:a="u:1"><a:O><K>x &lt;&#65; <![CDATA[&y]]></K></a:O><a:O/></a:D>',
    'x',
  )
  assert.deepEqual([root.namespace, root.name], ['u:1', 'D'])
  const [first, second] = childrenOf(root, 'O')
  assert.equal(textOf(first!, 'K'), 'x <A &y')
  assert.equal(textOf(second!, 'K'), undefined)
})

test('what is written is read again as it was', () => {
  const odd = 'a & <b> "c" \r \u{1F600} ä'
  const document = xmlDocument('R', [element('K', odd), element('N', 3), element('None', undefined)], {
    xmlns: 'u:"1"',
  })
  const root = parseXml(document, 'x')
  assert.equal(root.namespace, 'u:"1"')
  assert.equal(root.children[0]?.text, odd)
  assert.deepEqual(
    root.children.map(({ name }) => name),
    ['K', 'N'],
  )
})

test('bombs, entities, depth and what is no XML are refused', () => {
  const laughs = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>'
  const documents = [
    laughs,
    '<!DOCTYPE l SYSTEM "file:///etc/passwd"><l/>',
    '<l>&unknown;</l>',
    '<l>'.repeat(40) + '</l>'.repeat(40),
    `<l>${'<m/>'.repeat(50_001)}</l>`,
    '<l>',
    '<l></m>',
    '<l/><l/>',
    '<x:l/>',
    '<l a=1/>',
    '',
    'text',
    '\0',
  ]
  for (const document of documents)
    assert.throws(
      () => parseXml(document, 'the XML'),
      (thrown) => isCode(thrown, 'BAD_INPUT'),
      document.slice(0, 40),
    )
})
