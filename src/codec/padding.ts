/** Padding that hides sizes: Padmé (Nikitin et al., PETS 2019), at most 12 % and O(log log n) bits leak. */

const paddedMin = 256

/** Length of a body of `length` bytes with its padding: Padmé, and at least 256. */
export function paddedLength(length: number): number {
  if (length <= paddedMin) return paddedMin
  const exponent = Math.floor(Math.log2(length))
  const mantissaBits = Math.floor(Math.log2(exponent)) + 1
  const step = 2 ** (exponent - mantissaBits)
  return Math.ceil(length / step) * step
}
