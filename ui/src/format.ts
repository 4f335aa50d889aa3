import { strings } from './strings.ts'

const sizeUnits = ['B', 'KB', 'MB', 'GB', 'TB']

/** 1536 → "1.5 KB"; powers of 1024. */
export function sizeText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < sizeUnits.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${sizeUnits[unit]}`
}

export function agoText(time: string): string {
  const seconds = (Date.now() - Date.parse(time)) / 1000
  if (seconds < 60) return strings.justNow
  if (seconds < 3600) return strings.minutesAgo(Math.round(seconds / 60))
  if (seconds < 86_400) return strings.hoursAgo(Math.round(seconds / 3600))
  return strings.daysAgo(Math.round(seconds / 86_400))
}

const dates = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

export function dateText(time: string): string {
  return dates.format(new Date(time))
}

/** Seconds as "4 min", "12 s". */
export function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`
  return `${Math.round(seconds / 3600)} h`
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** `FOLDER/PATH` for use in a URL: each part encoded, slashes kept. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

/** The text of a form's field. */
export function fieldText(form: FormData, name: string): string {
  const value = form.get(name)
  return typeof value === 'string' ? value.trim() : ''
}
