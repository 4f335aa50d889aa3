/**
 * Text as search compares it: without case, accents and forms of writing, and cut into words. What is
 * stored and what is asked for pass the same functions, so only here is decided what is alike.
 */

import { isPropertyTag } from '../codec/version-body.ts'

/** Letters that Unicode takes for others and people for the same. */
const alike: Record<string, string> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
  ς: 'σ',
}
const alikeLetters = new RegExp(`[${Object.keys(alike).join('')}]`, 'gu')

/** Most names hold plain letters alone: a quarter of the time. */
// oxlint-disable-next-line no-control-regex -- it is the whole of ASCII
const beyondAscii = /[^\u0000-\u007f]/

/** Lower case, compatibility forms taken apart, Latin, Greek and Cyrillic accents left out. */
export function fold(text: string): string {
  if (!beyondAscii.test(text)) return text.toLowerCase()
  const plain = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[\u0300-\u036f]/g, '')
  return plain.replaceAll(alikeLetters, (letter) => alike[letter] ?? letter)
}

/** Words written without spaces between them: each sign is a word, so that any two of them are found. */
const apart = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu
const between = /[^\p{L}\p{N}\p{M}]+/gu

/** The words of a folded text with one space between them. */
export function wordsOf(folded: string): string {
  if (!beyondAscii.test(folded)) return folded.replaceAll(/[^a-z0-9]+/g, ' ').trim()
  return folded.replaceAll(between, ' ').replaceAll(apart, ' $& ').replaceAll(/ +/g, ' ').trim()
}

/** What is asked for: the whole phrase, and each of its words, folded. */
export interface SoughtWords {
  phrase: string
  words: readonly { text: string; plain: string }[]
}

export function soughtWords(text: string): SoughtWords {
  const words = fold(text).split(/\s+/u).filter(Boolean)
  return { phrase: words.join(' '), words: words.map((word) => ({ text: word, plain: wordsOf(word) })) }
}

/** What of an entry is compared: its name; words of name and tags, words of folders and description, each in spaces. */
export interface SearchTexts {
  name: string
  label: string
  rest: string
  /** Folded tags, each between two unit separators. */
  tags: string
}

/** Longer descriptions are found by their beginning. */
const descriptionLetters = 4096

export function searchTexts(path: string, tags: readonly string[], description: string): SearchTexts {
  const folded = fold(path)
  const slash = folded.lastIndexOf('/')
  const name = folded.slice(slash + 1)
  const foldedTags = tags.filter((tag) => !isPropertyTag(tag)).map(fold)
  const rest = wordsOf(
    `${folded.slice(0, Math.max(0, slash))} ${fold(description.slice(0, descriptionLetters))}`,
  )
  return {
    name,
    label: ` ${wordsOf(`${name} ${foldedTags.join(' ')}`)} `,
    rest: rest === '' ? '' : `${rest} `,
    tags: tagsText(foldedTags),
  }
}

/** One tag as it stands in `tags`. */
export const tagMark = (tag: string): string => tagsText([fold(tag)])

function tagsText(folded: readonly string[]): string {
  return folded.length === 0 ? '' : `\u{1f}${folded.join('\u{1f}')}\u{1f}`
}

/** Longer names are told apart by their time. */
const keyLetters = 128

/** A folded name as a text that sorts like people do: numbers by their value, `img 2` before `img 10`. */
export function sortKey(name: string): string {
  return name.replaceAll(/[0-9]+/g, numberKey).slice(0, keyLetters)
}

/** Its number of digits, as a sign at the place of digits, then these. */
function numberKey(digits: string): string {
  const plain = digits.replace(/^0+(?=.)/, '')
  const length = plain.length < 10 ? String(plain.length - 1) : `9${String.fromCharCode(48 + plain.length)}`
  return length + plain
}
