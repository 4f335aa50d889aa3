/** Tables that fit the terminal: the widest flexible column is cut in the middle. */
import { stripVTControlCharacters, styleText } from 'node:util'
import { oneLine } from './words.ts'

export interface Column<Row> {
  head: string
  value(row: Row): string
  right?: true
}

/** The lines of a table; `width` 0: as wide as it needs. */
export function tableText<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
): string[] {
  const cells = rows.map((row) => columns.map((column) => oneLine(column.value(row))))
  const widths = columns.map((column, index) =>
    Math.max(cellWidth(column.head), ...cells.map((line) => cellWidth(line[index] ?? ''))),
  )
  if (width > 0) shrink(widths, width)
  const lineOf = (line: readonly string[]): string =>
    columns
      .map((column, index) => fit(line[index] ?? '', widths[index] ?? 0, column.right))
      .join('  ')
      .trimEnd()
  return [style('bold', lineOf(columns.map((column) => column.head))), ...cells.map(lineOf)]
}

/** Colour only where a person reads: `NO_COLOR` and pipes get plain text. */
export function style(format: 'bold' | 'green' | 'yellow' | 'red' | 'dim', text: string): string {
  return styleText(format, text, { stream: process.stdout })
}

function shrink(widths: number[], width: number): void {
  const gaps = 2 * (widths.length - 1)
  const total = widths.reduce((sum, each) => sum + each, 0)
  const over = total + gaps - width
  const widest = widths.indexOf(Math.max(...widths))
  if (over > 0) widths[widest] = Math.max(8, (widths[widest] ?? 0) - over)
}

function fit(text: string, width: number, right: true | undefined): string {
  const cut = cellWidth(text) <= width ? text : middleCut(text, width)
  const space = ' '.repeat(Math.max(0, width - cellWidth(cut)))
  return right === true ? space + cut : cut + space
}

function middleCut(text: string, width: number): string {
  const signs = Array.from(text)
  const head = Math.ceil((width - 1) / 2)
  const tail = width - 1 - head
  return `${signs.slice(0, head).join('')}…${tail > 0 ? signs.slice(-tail).join('') : ''}`
}

const cellWidth = (text: string): number => Array.from(stripVTControlCharacters(text)).length
