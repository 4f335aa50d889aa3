/** Sums over many simulations, for people to see what was tried. */
import type { Report } from './simulation.ts'

export class Tally {
  seeds = 0
  readonly #counts = new Map<string, number>()

  add({ counts, profile }: Report): void {
    this.seeds += 1
    this.#add('peers', profile.peers)
    for (const [what, count] of Object.entries(counts)) this.#add(what, count)
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0
  }

  lines(): string[] {
    const lines = [...this.#counts].sort(byName).map(([what, count]) => `${what} ${count}`)
    return [`seeds ${this.seeds}`, ...lines]
  }

  #add(what: string, count: number): void {
    this.#counts.set(what, this.of(what) + count)
  }
}

/** Orders counts by what they count. */
export function byName([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a < b ? -1 : 1
}

/** How to see a failure again. */
export function failureText({ seed, broken, profile, counts }: Report): string {
  const size = `${profile.peers} peers, ${counts['operations'] ?? 0} operations`
  return `seed ${seed} (${size}) broke: ${broken?.what}\n  again: npm run sim -- --from ${seed} --seeds 1 --verbose`
}
