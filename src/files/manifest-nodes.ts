/**
 * Manifest nodes that were opened lately: who reads ranges of one large file needs the same two again
 * and again, 128 KiB and a thousand references each. A node never changes.
 */
import { limits } from '../base/limits.ts'
import type { ChunkRef, VerifiedBytes } from '../codec/codec.ts'
import { openNode } from '../codec/manifest.ts'

export class ManifestNodes {
  /** The latest used last. */
  readonly #nodes = new Map<string, readonly ChunkRef[]>()

  /** What a node lists; fetched and opened where it is not kept. */
  async refsOf(node: ChunkRef, fetch: () => Promise<VerifiedBytes>): Promise<readonly ChunkRef[]> {
    // All that opening it would check.
    const key = `${node.id} ${Buffer.from(node.ck).toString('hex')} ${node.level} ${node.length}`
    const refs = this.#nodes.get(key) ?? openNode(node, await fetch())
    this.#nodes.delete(key)
    this.#nodes.set(key, refs)
    const [oldest] = this.#nodes.keys()
    if (this.#nodes.size > limits.manifestNodesKept) this.#nodes.delete(oldest!)
    return refs
  }
}
