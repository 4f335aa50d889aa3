/** Documents as S3 clients read them: one namespace, elements in order. */
import { escapeXml } from './xml.ts'

/** A piece of an answer: text is escaped, an element is not; undefined is left out. */
export type XmlPart = string | number | boolean | XmlTag | readonly XmlPart[] | undefined

/** An element as text. */
export interface XmlTag {
  readonly xml: string
}

const space = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** `<name>content</name>`; undefined content leaves it out. */
export function tag(name: string, content: XmlPart): XmlTag | undefined {
  return content === undefined ? undefined : { xml: `<${name}>${textOf(content)}</${name}>` }
}

export function s3Document(root: string, content: XmlPart, namespace = space): string {
  const attribute = namespace === '' ? '' : ` xmlns="${namespace}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${textOf(content)}</${root}>`
}

function textOf(part: XmlPart): string {
  if (part === undefined) return ''
  if (Array.isArray(part)) return (part as readonly XmlPart[]).map(textOf).join('')
  return typeof part === 'object' ? (part as XmlTag).xml : escapeXml(String(part))
}
