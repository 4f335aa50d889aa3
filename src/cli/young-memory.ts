/**
 * V8 doubles its space for young objects while a program loads, up to 64 MB that are never given
 * back. Held small until a started peer has come to rest, it grows when there is work. Later flags than the
 * command line's count here: V8 reads this one each time it would grow.
 */
import { setFlagsFromString } from 'node:v8'

export function keepYoungMemorySmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** V8's own way again. */
export function letYoungMemoryGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2')
}
