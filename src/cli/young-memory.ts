/**
 * V8 doubles its space for young objects while a program loads, up to 64 MB that are never given
 * back. Held small until a started peer has come to rest, it grows when there is work. Later flags than the
 * command line's count here: V8 reads these each time it would grow.
 */
import { setFlagsFromString } from 'node:v8'

export function keepYoungMemorySmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/**
 * V8's own way again, up to what bin/peerstor allows. And its heap may grow by so many percent before it is
 * collected whole: a peer's is small beside the buffers that pass through it, and V8 counts those, so that it began
 * anew every few hundred milliseconds; allowed to double, it grew all through an upload of 10 GiB.
 */
export function letYoungMemoryGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2')
  setFlagsFromString('--heap-growing-percent=40')
}
