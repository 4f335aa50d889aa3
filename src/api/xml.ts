/** XML of requests as a small tree, and of answers as text. No DOCTYPE, no entities beyond XML's own five. */
import { type SaxesTagNS, SaxesParser } from 'saxes'
import { type PeerStorError, fail } from '../base/errors.ts'

export interface XmlElement {
  /** Namespace URI, '' without one. */
  namespace: string
  /** Without its prefix. */
  name: string
  /** Text directly in it. */
  text: string
  children: XmlElement[]
}

/** Elements of one document, and how deep they may lie. */
const elementsMax = 50_000
const depthMax = 32

/** The root of a document; `BAD_INPUT` naming `what` for anything that is not well-formed or too deep. */
export function parseXml(document: string, what: string): XmlElement {
  const parser = new SaxesParser({ xmlns: true, position: false })
  const top: XmlElement = { namespace: '', name: '', text: '', children: [] }
  const open = [top]
  let count = 0
  parser.on('error', (error) => refuse(what, error.message))
  parser.on('doctype', () => refuse(what, 'a DOCTYPE is not taken'))
  parser.on('opentag', (tag: SaxesTagNS) => {
    const element: XmlElement = { namespace: tag.uri, name: tag.local, text: '', children: [] }
    if (open.length > depthMax) refuse(what, `its elements lie deeper than ${depthMax}`)
    if ((count += 1) > elementsMax) refuse(what, `it has more than ${elementsMax} elements`)
    open.at(-1)?.children.push(element)
    open.push(element)
  })
  parser.on('closetag', () => void open.pop())
  const add = (text: string): void => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  }
  parser.on('text', add)
  parser.on('cdata', add)
  parser.write(document).close()
  return top.children[0] ?? refuse(what, 'it is empty')
}

function refuse(what: string, reason: string): never {
  throw notXml(what, reason)
}

const notXml = (what: string, reason: string): PeerStorError => fail('BAD_INPUT', { what, reason })

/** Text of the first child of that name, in any namespace; undefined when there is none. */
export function textOf(element: XmlElement, name: string): string | undefined {
  return childrenOf(element, name)[0]?.text.trim()
}

export function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name)
}

/** A piece of an answer: text is escaped, an element is not. */
export type XmlPart = string | number | boolean | XmlText | readonly XmlPart[] | undefined

/** An element as text. */
export interface XmlText {
  readonly xml: string
}

/** `<name attributes>content</name>`; content that is undefined leaves the element out. */
export function element(
  name: string,
  content: XmlPart,
  attributes: Readonly<Record<string, string>> = {},
): XmlText | undefined {
  if (content === undefined) return undefined
  const facts = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`)
  return { xml: `<${name}${facts.join('')}>${xmlOf(content)}</${name}>` }
}

/** A whole document. */
export function xmlDocument(
  name: string,
  content: XmlPart,
  attributes: Readonly<Record<string, string>> = {},
): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(name, content, attributes)?.xml ?? ''}`
}

function xmlOf(part: XmlPart): string {
  if (part === undefined) return ''
  if (Array.isArray(part)) return (part as readonly XmlPart[]).map(xmlOf).join('')
  if (typeof part === 'object') return (part as XmlText).xml
  return escapeXml(String(part))
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
}

function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"\r]/g, (sign) => escapes[sign] ?? sign)
}
