/**
 * The index of three-letter groups: what stands in it of an entry, and how it is asked. Its answers hold
 * all that match, newest or oldest first, and some more: texts and facts are compared afterwards.
 */
import type { SearchFilter, SearchStage } from './index-reader.ts'
import { fold, tagMark, wordsOf, type SearchTexts, type SoughtWords } from './search-text.ts'

/** Stands before the first word of a name that begins with a word, where others have a space. */
const nameStart = '\u{2}'
/** Stands between words of folders and descriptions, so that they are no words of names. */
const restSpace = '\u{1f}'

/** The three columns: words, and a group of its own for class and size. */
export interface GroupTexts {
  words: string
  class: string
  size: string
}

export function groupTexts({ name, label, rest }: Omit<SearchTexts, 'tags'>, facts: Facts): GroupTexts {
  const front = beginsWithWord(name, label.slice(1)) ? nameStart + label.slice(1) : label
  const behind = rest === '' ? '' : restSpace + rest.replaceAll(' ', restSpace)
  return { words: front + behind, class: classMark(facts.class), size: sizeMark(bucketOf(facts.size)) }
}

/** What is compared of an entry beside its texts: the number of its class, and its bytes. */
export interface Facts {
  class: number
  size: number
}

/** `plain` holds the words of `text`. */
function beginsWithWord(text: string, plain: string): boolean {
  const first = text.codePointAt(0)
  return first !== undefined && first === plain.codePointAt(0)
}

/** Letters that no word has. */
const classSign = 0xe0_00
const sizeSign = 0xe0_01
const digits = 0xf_00_00

const classMark = (n: number): string =>
  String.fromCodePoint(classSign, digits + ((n >>> 12) & 0xfff), digits + (n & 0xfff))
const sizeMark = (bucket: number): string => String.fromCodePoint(sizeSign, digits + bucket, sizeSign)

/** Sizes of one bucket differ by less than twice. */
const bucketOf = (size: number): number => (size < 1 ? 0 : Math.floor(Math.log2(size)) + 1)

/** Each list that is asked for costs every step of the answer a look. */
const askedClasses = 50
const askedBuckets = 12
/** Most groups of one text. */
const askedGroups = 24

/** What entries of these classes and sizes have in the index; `sizes` are the least and the most there are. */
export function factsQuery(
  classes: readonly number[] | undefined,
  { larger, smaller }: SearchFilter,
  sizes: { least: number; most: number },
): string | undefined {
  const marks: (string | undefined)[] = []
  if (classes !== undefined && classes.length <= askedClasses)
    marks.push(anyOf(classes.map((n) => allOf([classMark(n)]))))
  const from = bucketOf(Math.max(larger ?? 0, sizes.least))
  const to = bucketOf(Math.min(smaller ?? sizes.most, sizes.most))
  const buckets = Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
  if ((larger ?? smaller) !== undefined && buckets.length <= askedBuckets)
    marks.push(anyOf(buckets.map((bucket) => allOf([sizeMark(bucket)]))))
  return together(marks)
}

/** What entries found by these words at this stage, with these tags, below this path have in the index. */
export function wordsQuery(
  stage: SearchStage | undefined,
  sought: SoughtWords,
  { tags = [], below = '' }: SearchFilter,
  pairs?: GroupsOfPair,
): string | undefined {
  const tagged = tags.map((tag) => allOf(threes(` ${wordsOf(tagMark(tag))} `)))
  // The last word alone: each further list costs all that the longest one does.
  const [last = ''] = wordsOf(fold(below)).split(' ').slice(-1)
  const folder = allOf(threes(inRest(` ${last} `)))
  return together([...stageQueries(stage, sought, pairs), ...tagged, below === '' ? undefined : folder])
}

export const together = (queries: readonly (string | undefined)[]): string | undefined => {
  const asked = queries.filter((query) => query !== undefined)
  return asked.length === 0 ? undefined : asked.map((query) => `(${query})`).join(' AND ')
}

function stageQueries(
  stage: SearchStage | undefined,
  { phrase, words }: SoughtWords,
  pairs: GroupsOfPair | undefined,
): (string | undefined)[] {
  if (stage === 'start')
    // The last word of a name's beginning may go on.
    return words.map(({ plain }, index) => {
      const opens = index === 0 && beginsWithWord(phrase, plain)
      return plain === '' ? undefined : formsQuery([opens ? nameStart + plain : ` ${plain}`])
    })
  if (stage !== 'word')
    return words.map(({ plain }) => {
      if (pairs !== undefined && Array.from(plain).length === 2) return pairQuery(pairs(plain))
      return formsQuery(plain.includes(' ') ? [plain, inRest(plain)] : [plain])
    })
  return words.map(({ plain }) => {
    if (plain === '') return undefined
    // Names whose first word it is begin with it: the stage before has them.
    const isBeginning = words.length === 1 && phrase === plain
    return formsQuery([` ${plain} `, ...(isBeginning ? [] : [`${nameStart}${plain} `])])
  })
}

/** The groups of the index that begin with two letters. */
type GroupsOfPair = (pair: string) => readonly string[]

/** More of them are as good as none: what is so common is found by looking. */
export const askedTerms = 200

function pairQuery(groups: readonly string[]): string | undefined {
  if (groups.length === askedTerms) return undefined
  return anyOf((groups.length === 0 ? [never] : groups).map((group) => `"${group}"`))
}

/** A group that is never there. */
const never = String.fromCodePoint(sizeSign, sizeSign, sizeSign)

const inRest = (plain: string): string => plain.replaceAll(' ', restSpace)

/** Undefined when a form is too short to ask. */
function formsQuery(forms: readonly string[]): string | undefined {
  const queries = forms.map((form) => allOf(threes(form)))
  return queries.includes(undefined) ? undefined : anyOf(queries)
}

function anyOf(queries: readonly (string | undefined)[]): string | undefined {
  const asked = queries.filter((query) => query !== undefined)
  return asked.length === 0 ? undefined : asked.map((query) => `(${query})`).join(' OR ')
}

function allOf(groups: readonly string[]): string | undefined {
  const asked = [...new Set(groups)].slice(0, askedGroups)
  return asked.length === 0 ? undefined : asked.map((group) => `"${group}"`).join(' AND ')
}

function threes(text: string): string[] {
  const letters = Array.from(text)
  return letters.slice(0, Math.max(0, letters.length - 2)).map((_, at) => letters.slice(at, at + 3).join(''))
}
