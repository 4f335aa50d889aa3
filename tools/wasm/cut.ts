// The rolling hash of src/codec/cut.ts. Memory: gear table at 4096, a block of 64 KiB at 8192, the
// hash at 64.

const HASH: usize = 64
const GEAR: usize = 4096
const BLOCK: usize = 8192

function roll(h: u64, byte: u64): u64 {
  return (h << 1) + load<u64>(GEAR + ((<usize>(byte & 255)) << 3))
}

/** Rolls over `length` bytes; the count up to and with the first whose hash is below 2^(64-bits), or 0. */
export function scan(length: i32, bits: i32): i32 {
  const below: u64 = (<u64>1) << (64 - bits)
  const end = BLOCK + <usize>length
  const endWhole = BLOCK + (<usize>length & ~7)
  let h = load<u64>(HASH)
  let at = BLOCK
  for (; at < endWhole; at += 8) {
    const eight = load<u64>(at)
    h = roll(h, eight)
    if (h < below) return found(h, at + 1)
    h = roll(h, eight >> 8)
    if (h < below) return found(h, at + 2)
    h = roll(h, eight >> 16)
    if (h < below) return found(h, at + 3)
    h = roll(h, eight >> 24)
    if (h < below) return found(h, at + 4)
    h = roll(h, eight >> 32)
    if (h < below) return found(h, at + 5)
    h = roll(h, eight >> 40)
    if (h < below) return found(h, at + 6)
    h = roll(h, eight >> 48)
    if (h < below) return found(h, at + 7)
    h = roll(h, eight >> 56)
    if (h < below) return found(h, at + 8)
  }
  for (; at < end; at++) {
    h = roll(h, load<u8>(at))
    if (h < below) return found(h, at + 1)
  }
  store<u64>(HASH, h)
  return 0
}

function found(h: u64, at: usize): i32 {
  store<u64>(HASH, h)
  return <i32>(at - BLOCK)
}
