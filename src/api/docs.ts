/** `/api/docs`: the document of `openapi.ts` as one page without a script, and the document itself. */
import { runningDigest } from './digest.ts'
import { type Call, type Route, answered } from './route.ts'

/** @param all all routes, these included; asked for when the first request comes */
export function docsRoutes(all: () => readonly Route[]): Route[] {
  let document: Record<string, unknown> | undefined
  let page: string | undefined
  // Loaded when asked for: a peer must start fast and stay small.
  const made = async (): Promise<Record<string, unknown>> =>
    (document ??= (await import('./openapi.ts')).openApi(all()))
  return [
    { method: 'GET', path: '/api/openapi.json', scope: 'open', handle: made },
    { method: 'GET', path: '/api/v1/openapi.json', scope: 'open', handle: made },
    {
      method: 'GET',
      path: '/api/docs',
      scope: 'open',
      handle: async (call) => sendPage(call, (page ??= pageOf(await made()))),
    },
  ]
}

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:#f4f5f7;padding:.75rem;overflow:auto;border-radius:6px}
details{border-bottom:1px solid #e3e6ea;padding:.4rem 0}summary{cursor:pointer}b{display:inline-block;min-width:5.5rem}
@media(prefers-color-scheme:dark){body{color:#e6e8eb;background:#16181b}pre{background:#22262b}details{border-color:#333}}`

const styleHash = runningDigest('sha256').update(style).digest('base64')

function sendPage({ response }: Call, page: string): typeof answered {
  response.setHeader('content-type', 'text/html; charset=utf-8')
  response.setHeader(
    'content-security-policy',
    `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  )
  response.setHeader('cache-control', 'no-cache')
  response.setHeader('content-length', Buffer.byteLength(page))
  response.writeHead(200).end(page)
  return answered
}

function pageOf(document: Record<string, unknown>): string {
  const paths = Object.entries(document['paths'] as Record<string, Record<string, unknown>>)
  const rows = paths.flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => method !== 'parameters' && method !== 'head')
      .map(([method, operation]) =>
        rowOf(method.replace('x-', ''), path, operation as Record<string, unknown>),
      ),
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>PeerStor API</title><style>${style}</style><h1>PeerStor API</h1>
<p>Made from the routes of this peer. For programs: <a href="/api/openapi.json">openapi.json</a> (OpenAPI 3.1).
Sign in with <code>Authorization: Bearer TOKEN</code>; <code>peerstor token create</code> makes tokens.</p>
${rows.join('\n')}</html>`
}

function rowOf(
  method: string,
  path: string,
  { summary, description, parameters, requestBody, responses }: Record<string, unknown>,
): string {
  const detail = JSON.stringify({ parameters, requestBody, responses }, undefined, 2)
  return `<details><summary><b>${escape(method.toUpperCase())}</b> <code>${escape(path)}</code> ${escape(String(summary))}</summary>
<p>${escape(String(description))}</p><pre>${escape(detail)}</pre></details>`
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
