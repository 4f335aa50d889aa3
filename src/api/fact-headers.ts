/** Writes the headers that `file-headers.ts` reads; apart from it because commands must start fast. */

export interface Facts {
  mode?: number | undefined
  modified?: number | undefined
  created?: number | undefined
  link?: string | undefined
  expires?: string | undefined
}

export function factHeaders(facts: Facts): Record<string, string> {
  return {
    ...(facts.mode === undefined ? {} : { 'peerstor-mode': facts.mode.toString(8).padStart(4, '0') }),
    ...(facts.modified === undefined ? {} : { 'peerstor-modified': String(Math.round(facts.modified)) }),
    ...(facts.created === undefined ? {} : { 'peerstor-created': String(Math.round(facts.created)) }),
    ...(facts.expires === undefined ? {} : { 'peerstor-expires': facts.expires }),
    ...(facts.link === undefined ? {} : { 'peerstor-link': encodeURIComponent(facts.link) }),
  }
}
