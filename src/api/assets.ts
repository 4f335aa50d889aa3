/** The browser app: files that scripts/build-ui.mjs embedded, Brotli-compressed, in `assets.generated.ts`. */
import { brotliDecompressSync, gzipSync } from 'node:zlib'
import { fail } from '../base/errors.ts'
import { type Asset, assets } from './assets.generated.ts'
import { type Call, type Route, answered } from './route.ts'

export const assetsRoutes: Route[] = [{ method: 'GET', path: '/*', scope: 'open', handle: sendAsset }]

/** Only the app's own files run; nothing may frame it, and it talks to this peer alone. */
const appPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const notBuilt = 'PeerStor runs. The web page is not built: run npm run build, then start again.\n'

type Encoding = 'br' | 'gzip' | 'identity'

function sendAsset(call: Call): typeof answered {
  const name = call.path === '' ? '/index.html' : `/${call.path}`
  const asset = Object.hasOwn(assets, name) ? assets[name] : undefined
  if (asset === undefined && name === '/index.html') return sendPlain(call)
  if (asset === undefined) throw fail('NOT_FOUND', { what: 'address', name: name.slice(0, 200) })
  const { request, response } = call
  response.setHeader('content-security-policy', appPolicy)
  response.setHeader('etag', asset.etag)
  response.setHeader('vary', 'accept-encoding')
  response.setHeader('cache-control', isHashed(name) ? 'public, max-age=31536000, immutable' : 'no-cache')
  if (request.headers['if-none-match'] === asset.etag) return finish(call, 304)
  const encoding = encodingFor(request.headers['accept-encoding'] ?? '')
  const body = bodyOf(name, asset, encoding)
  response.setHeader('content-type', asset.type)
  response.setHeader('content-length', body.length)
  if (encoding !== 'identity') response.setHeader('content-encoding', encoding)
  return finish(call, 200, body)
}

/** Vite puts a hash into the name of everything below `assets/`: such a name never changes its bytes. */
const isHashed = (name: string): boolean => name.startsWith('/assets/')

/** Browsers offer Brotli only over https and on localhost. */
function encodingFor(accepted: string): Encoding {
  const names = accepted.split(',').map((item) => item.split(';')[0]?.trim())
  return names.includes('br') ? 'br' : names.includes('gzip') ? 'gzip' : 'identity'
}

const made = new Map<string, Buffer>()

/** The bytes of an asset in an encoding, made once. */
function bodyOf(name: string, asset: Asset, encoding: Encoding): Buffer {
  const key = `${encoding} ${name}`
  const known = made.get(key)
  if (known !== undefined) return known
  const brotli = Buffer.from(asset.brotli, 'base64')
  const plain = encoding === 'br' ? brotli : brotliDecompressSync(brotli)
  const body = encoding === 'gzip' ? gzipSync(plain) : plain
  made.set(key, body)
  return body
}

function sendPlain(call: Call): typeof answered {
  call.response.setHeader('content-type', 'text/plain; charset=utf-8')
  call.response.setHeader('content-length', Buffer.byteLength(notBuilt))
  return finish(call, 200, Buffer.from(notBuilt))
}

function finish(call: Call, status: number, body?: Buffer): typeof answered {
  call.response.writeHead(status).end(body)
  return answered
}
