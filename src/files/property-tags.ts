/**
 * Properties of a file inside its version: they go wherever it goes. The body of format 1 has no field
 * for them, and one that it does not know would make the version unreadable to earlier programs: so
 * their JSON lies, cut into pieces, among the tags (docs/FORMAT.md). No tag that people give looks like one.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { isPropertyTag, propertyTag } from '../codec/version-body.ts'
import type { Properties } from './files.ts'

const numberLength = 3
const pieceLength = limits.tagBytes - propertyTag.length - numberLength

/** The properties that these tags hold; undefined without any, or where a foreign program wrote nonsense. */
export function propertiesIn(tags: readonly string[]): Properties | undefined {
  if (tags.length === 0) return undefined
  const pieces = tags.filter(isPropertyTag).sort()
  if (pieces.length === 0) return undefined
  const text = pieces.map((piece) => piece.slice(propertyTag.length + numberLength)).join('')
  return textsOf(text)
}

function textsOf(json: string): Properties | undefined {
  try {
    const found: unknown = JSON.parse(json)
    const texts = Object.entries(found ?? {}).filter((pair) => typeof pair[1] === 'string')
    return texts.length === 0 ? undefined : Object.fromEntries(texts as [string, string][])
  } catch {
    return undefined
  }
}

/** Tags that hold these properties and no others; `TOO_LARGE`. */
export function withProperties(tags: readonly string[], properties: Properties | undefined): string[] {
  const others = tags.filter((tag) => !isPropertyTag(tag))
  if (properties === undefined || Object.keys(properties).length === 0) return others
  const json = asciiJson(properties)
  const pieces = json.match(new RegExp(`.{1,${pieceLength}}`, 'g')) ?? []
  if (json.length > limits.propertyBytes || others.length + pieces.length > limits.tags)
    throw fail('TOO_LARGE', { what: 'the properties of one file', limit: limits.propertyBytes })
  return [...others, ...pieces.map((piece, index) => `${propertyTag}${numbered(index)}${piece}`)]
}

const numbered = (index: number): string => `${String(index).padStart(numberLength - 1, '0')} `

/** One byte a letter, so that it can be cut anywhere. */
const asciiJson = (value: Properties): string =>
  JSON.stringify(value).replaceAll(
    /[^ -~]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/**
 * What of a file's properties outlives new content: those with a name of XML, `{namespace}name`, which
 * programs keep with the file. All others describe the content that they came with.
 */
export function lastingIn(tags: readonly string[]): Properties {
  return Object.fromEntries(Object.entries(propertiesIn(tags) ?? {}).filter(([name]) => name.startsWith('{')))
}
