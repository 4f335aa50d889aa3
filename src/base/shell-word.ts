/** Text as one word of a command that people copy into their shell, whatever others put into a name. */
export function shellWord(text: string): string {
  return /^[\w/.][\w/.-]*$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
