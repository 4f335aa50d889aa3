// The inner loop of src/codec/shards.ts: sums of products in GF(2^8). Memory: tables at 8192, blocks of
// 16 KiB each from 65536 on, the sources first, then the sums.

const TABLES: usize = 8192
const BLOCKS: usize = 65536
const BLOCK: usize = 16384

/**
 * Of `length` bytes of each block, the sums: sum r = the products of every source s with coefficient (r, s).
 * A coefficient's table at TABLES + 32 (r * sources + s) holds its products with 0 to 15 and with 16 times that.
 */
export function sums(count: i32, sources: i32, length: i32): void {
  const low = i8x16.splat(15)
  const target = BLOCKS + <usize>sources * BLOCK
  for (let r: usize = 0; r < <usize>count; r++) {
    const tables = TABLES + r * <usize>sources * 32
    const into = target + r * BLOCK
    for (let i: usize = 0; i < <usize>length; i += 16) {
      let sum = i8x16.splat(0)
      for (let s: usize = 0; s < <usize>sources; s++) {
        const x = v128.load(BLOCKS + s * BLOCK + i)
        const table = tables + s * 32
        const products = v128.xor(
          v128.swizzle(v128.load(table), v128.and(x, low)),
          v128.swizzle(v128.load(table, 16), v128.shr<u8>(x, 4)),
        )
        sum = v128.xor(sum, products)
      }
      v128.store(into + i, sum)
    }
  }
}
