/** Bounds what is in flight, by number and by bytes; one waiter at a time. */
export class Window {
  readonly #countMax: number
  readonly #bytesMax: number
  #count = 0
  #bytes = 0
  #changed: (() => void) | undefined

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax
    this.#bytesMax = bytesMax
  }

  /** Waits for room, then takes it. Something larger than the window enters alone. */
  async enter(bytes: number): Promise<void> {
    while (this.#count > 0 && (this.#count >= this.#countMax || this.#bytes + bytes > this.#bytesMax))
      await this.#change()
    this.#count += 1
    this.#bytes += bytes
  }

  leave(bytes: number): void {
    this.#count -= 1
    this.#bytes -= bytes
    this.#changed?.()
  }

  /** Waits until nothing is in flight. */
  async empty(): Promise<void> {
    while (this.#count > 0) await this.#change()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = () => {
        this.#changed = undefined
        resolve()
      }
    })
  }
}
