/** Catalogue errors between peers: code and data travel as JSON, the text is made anew from our catalogue. */
import { z } from 'zod'
import { catalogue, type ErrorCode, fail, type PeerStorError } from '../base/errors.ts'

const text = z.string().max(4096)

const schema = z.object({
  code: z.string().refine((code): code is ErrorCode => Object.hasOwn(catalogue, code)),
  data: z
    .record(z.string().max(64), z.union([text, z.number(), z.boolean(), z.array(text).max(64)]))
    .refine((data) => Object.keys(data).length <= 16),
})

/** Bytes of an error for the other peer. An unexpected error tells nothing about this peer's inside. */
export function encodeError(error: PeerStorError): Buffer {
  const data = error.code === 'INTERNAL' ? { reason: 'the peer failed; its log says why' } : error.data
  return Buffer.from(JSON.stringify({ code: error.code, data }))
}

/** The error another peer sent; `PEER_MISBEHAVED` when it is none of ours. */
export function parseError(bytes: Uint8Array, peer: string, request: string): PeerStorError {
  try {
    const { code, data } = schema.parse(JSON.parse(Buffer.from(bytes).toString()))
    return fail(code, data)
  } catch (error) {
    return fail('PEER_MISBEHAVED', { peer, request, reason: 'its error is not in the catalogue' }, error)
  }
}
