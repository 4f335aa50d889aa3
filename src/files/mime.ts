/** Type and category of a file by its name; the name decides, never the content. */
import mime from 'mime'
import { isPropertyTag } from '../codec/version-body.ts'
import { expiryTag, priorityTag } from '../store/view.ts'

export const categories = ['image', 'video', 'audio', 'document', 'code', 'archive', 'other'] as const
export type Category = (typeof categories)[number]

/** MIME type by the ending of a name; `application/octet-stream` when unknown. */
export function typeOf(name: string): string {
  const ending = endingOf(name)
  return sources[ending] ?? mime.getType(ending) ?? 'application/octet-stream'
}

/** A tag of this form sets the category, whatever the type: `category:document`. */
const categoryTag = 'category:'

/** The tag that sets a category. */
export const tagOfCategory = (category: Category): string => categoryTag + category

/** The category that a tag sets; undefined for an ordinary tag. */
export function categorySetBy(tag: string): Category | undefined {
  return categories.find((category) => tag === tagOfCategory(category))
}

/** Tags that people see: not those that set category, priority and expiry, nor those that hold properties. */
export function shownTags(tags: readonly string[]): readonly string[] {
  return tags.filter(
    (tag) =>
      categorySetBy(tag) === undefined &&
      tag !== priorityTag &&
      !tag.startsWith(expiryTag) &&
      !isPropertyTag(tag),
  )
}

/** What people look for: pictures, documents, code …; a tag may say so, else the type does. */
export function categoryOf(type: string, tags: readonly string[] = []): Category {
  const said = tags.map(categorySetBy).find((category) => category !== undefined)
  return said ?? categoryOfType(type)
}

function categoryOfType(type: string): Category {
  const [kind = '', rest = ''] = (type.split(';')[0] ?? '').trim().toLowerCase().split('/')
  if (kind === 'image' || kind === 'video' || kind === 'audio') return kind
  if (archive.test(rest)) return 'archive'
  if (code.test(rest)) return 'code'
  if (kind === 'text' || document.test(rest)) return 'document'
  return 'other'
}

/** Endings of source text that the list of types leaves out or takes for something else (`.ts`: video). */
const sources: Record<string, string> = {
  __proto__: null as never,
  ts: 'text/x-typescript',
  mts: 'text/x-typescript',
  cts: 'text/x-typescript',
  tsx: 'text/x-typescript',
  py: 'text/x-python',
  rs: 'text/x-rust',
  go: 'text/x-go',
  rb: 'text/x-ruby',
  kt: 'text/x-kotlin',
  swift: 'text/x-swift',
  cs: 'text/x-csharp',
  vue: 'text/x-vue',
  zst: 'application/zstd',
}

const archive =
  /^(?:zip|gzip|zstd|x-(?:tar|7z|rar|bzip2?|xz|lzma|compress|gtar|cpio|debian-package|rpm|iso9660)|vnd\.rar|java-archive|x-.*-compressed)/
const code =
  /^(?:(?:x-)?(?:javascript|ecmascript|typescript|python|rust|go|ruby|kotlin|swift|csharp|vue|c|java|java-source|sh|csh|perl|php|httpd-php|sql|lua|tcl|scss|less|sass|handlebars-template|asm|fortran|pascal)|json|wasm|toml|yaml|x-yaml|css|html|jsx|coffeescript|.*\+json|xml)$/
const document =
  /^(?:pdf|rtf|msword|postscript|epub\+zip|x-tex|x-latex|vnd\.(?:ms-|oasis\.opendocument|openxmlformats|amazon|apple\.)|.*\+xml)/

function endingOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? '' : name.slice(dot + 1).toLowerCase()
}
