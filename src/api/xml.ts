/**
 * XML from clients, as trees: namespaces resolved, no entities but XML's own five, no document types,
 * and limits on size and depth, so that no body can cost more than it weighs.
 */
import { SaxesParser } from 'saxes'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { wantedBytes } from './body.ts'
import type { Call } from './route.ts'

export interface XmlElement {
  /** `{namespace}name`. */
  name: string
  attributes: { name: string; value: string }[]
  children: (XmlElement | string)[]
}

/** The document in a request's body; undefined when the body is empty. `BAD_INPUT`, `TOO_LARGE`. */
export async function xmlBody(call: Call): Promise<XmlElement | undefined> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of wantedBytes(call)) {
    length += part.length
    if (length > limits.xmlBytes) throw fail('TOO_LARGE', { what: 'the body', limit: limits.xmlBytes })
    parts.push(part)
  }
  return length === 0 ? undefined : parseXml(decodeText(Buffer.concat(parts)))
}

/** The root of a well-formed document without a document type, or `BAD_INPUT`. */
export function parseXml(text: string): XmlElement {
  const top: XmlElement = { name: '', attributes: [], children: [] }
  const open = [top]
  const parser = new SaxesParser({ xmlns: true, position: false })
  parser.on('error', (error) => refuse(error.message))
  parser.on('doctype', () => refuse('it has a document type'))
  parser.on('opentag', (tag) => {
    if (open.length > limits.xmlDepth) refuse(`its elements lie deeper than ${limits.xmlDepth}`)
    const attributes = Object.values(tag.attributes)
      .filter(({ uri }) => uri !== xmlnsSpace)
      .map(({ uri, local, value }) => ({ name: uri === '' ? local : `{${uri}}${local}`, value }))
    const element: XmlElement = { name: `{${tag.uri}}${tag.local}`, attributes, children: [] }
    open.at(-1)?.children.push(element)
    open.push(element)
  })
  parser.on('closetag', () => void open.pop())
  for (const event of ['text', 'cdata'] as const)
    parser.on(event, (part) => void open.at(-1)?.children.push(part))
  parser.write(text).close()
  return elementsOf(top)[0] ?? refuse('it has no element')
}

/** The child elements, text between them left out. */
export function elementsOf(element: XmlElement): XmlElement[] {
  return element.children.filter((child) => typeof child !== 'string')
}

/** All text inside an element. */
export function textOf(element: XmlElement): string {
  return element.children.map((child) => (typeof child === 'string' ? child : textOf(child))).join('')
}

/** An element as text that needs no declaration around it. */
export function writeXml(element: XmlElement): string {
  const { space, local } = splitName(element.name)
  const attributes = element.attributes.map(({ name, value }, index) => writeAttribute(name, value, index))
  const inside = element.children
    .map((child) => (typeof child === 'string' ? escapeXml(child) : writeXml(child)))
    .join('')
  return `<${local} xmlns="${escapeXml(space)}"${attributes.join('')}>${inside}</${local}>`
}

function writeAttribute(name: string, value: string, index: number): string {
  const { space, local } = splitName(name)
  if (space === '') return ` ${local}="${escapeXml(value)}"`
  if (space === 'http://www.w3.org/XML/1998/namespace') return ` xml:${local}="${escapeXml(value)}"`
  return ` xmlns:a${index}="${escapeXml(space)}" a${index}:${local}="${escapeXml(value)}"`
}

/** `{namespace}local` taken apart. */
export function splitName(name: string): { space: string; local: string } {
  const end = name.lastIndexOf('}')
  return { space: name.slice(1, Math.max(1, end)), local: name.slice(end + 1) }
}

/** Text for content and attribute values; what XML can not hold becomes U+FFFD. */
export function escapeXml(text: string): string {
  return text.replaceAll(unsafe, (sign) => escapes[sign] ?? '\u{FFFD}')
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const unsafe = /[&<>"\u0000-\u001f\ufffe\uffff]|\p{Surrogate}/gu

const xmlnsSpace = 'http://www.w3.org/2000/xmlns/'

/** UTF-8, or UTF-16 with its mark, as XML wants every reader to take. */
function decodeText(bytes: Buffer): string {
  const [first, second] = bytes
  const marked = first === 0xff && second === 0xfe ? 'utf-16le' : 'utf-8'
  const encoding = first === 0xfe && second === 0xff ? 'utf-16be' : marked
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    return refuse(`its bytes are no ${encoding}`)
  }
}

function refuse(reason: string): never {
  throw fail('BAD_INPUT', { what: 'the XML of the body', reason: reason.slice(0, 200) })
}
