/** Numbers, times and names as people read them. */

const steps = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

/** `1536` → `1.5 KB`; a kilobyte has 1,024 bytes, as in every SIZE that is typed. */
export function sizeText(bytes: number): string {
  let value = bytes
  let step = 0
  while (value >= 1024 && step < steps.length - 1) {
    value /= 1024
    step += 1
  }
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${steps[step]}`
}

/** `2026-05-01T10:00:00.000Z` → `2026-05-01 10:00` in local time. */
export function timeText(time: string | undefined): string {
  if (time === undefined) return '-'
  const date = new Date(time)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}

export function durationText(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}

export function copiesText(copies: { have: number; want: number } | undefined): string {
  return copies === undefined ? '' : `${copies.have}/${copies.want}`
}

export function plural(count: number, word: string, words = `${word}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? word : words}`
}

/** Names come from other devices: no control character of theirs reaches the terminal. */
export function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g, '\u{FFFD}')
}
