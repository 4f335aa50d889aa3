/**
 * CPU seconds and peak memory of processes, by /proc (Linux; elsewhere undefined). This process counts
 * with the children it has waited for, so that `cp` or `curl` run by a round are in it.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const ticksPerSecond = 100

export class ProcessMeter {
  readonly #pids: readonly number[]
  readonly #startTicks: number | undefined

  /** Begins to measure this process and `pids`. */
  constructor(pids: readonly number[]) {
    this.#pids = pids
    for (const pid of pids) resetPeak(pid)
    this.#startTicks = this.#ticks()
  }

  /** CPU seconds of all of them since the beginning; the highest peak among `pids`. */
  read(): { cpuSeconds: number | undefined; peakRssBytes: number | undefined } {
    const ticks = this.#ticks()
    const peaks = this.#pids.map((pid) => memory(pid).peakRss).filter((peak) => peak !== undefined)
    return {
      cpuSeconds:
        ticks === undefined || this.#startTicks === undefined
          ? undefined
          : (ticks - this.#startTicks) / ticksPerSecond,
      peakRssBytes: peaks.length === 0 ? undefined : Math.max(...peaks),
    }
  }

  #ticks(): number | undefined {
    const own = cpuTicks('self', true)
    return own === undefined
      ? undefined
      : this.#pids.reduce((sum, pid) => sum + (cpuTicks(pid, false) ?? 0), own)
  }
}

/** Memory of a process in bytes, as /proc tells it. */
export function memory(pid: number): {
  rss?: number
  peakRss?: number
  rssAnon?: number
  /** Shared pages counted by their share. */
  pss?: number
} {
  const fields = { rss: 'VmRSS', peakRss: 'VmHWM', rssAnon: 'RssAnon', pss: 'Pss' }
  const text = `${readText(`/proc/${pid}/status`)}\n${readText(`/proc/${pid}/smaps_rollup`)}`
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)
      return found === null ? [] : [[name, Number(found[1]) * 1024]]
    }),
  )
}

/** CPU seconds a process has used so far. */
export function cpuSeconds(pid: number): number | undefined {
  const ticks = cpuTicks(pid, false)
  return ticks === undefined ? undefined : ticks / ticksPerSecond
}

/** utime and stime, with those of waited-for children; proc(5): fields 14 to 17, after the name in brackets. */
function cpuTicks(pid: number | 'self', withChildren: boolean): number | undefined {
  const text = readText(`/proc/${pid}/stat`)
  if (text === '') return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, withChildren ? 15 : 13).reduce((sum, field) => sum + Number(field), 0)
}

function resetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch {
    // Not Linux, or not allowed: the peak then counts from the start of the process.
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
