/**
 * Pages of another origin in the browser where somebody is signed in, and a name that was pointed at
 * the peer (DNS rebinding): they change nothing, read nothing, frame nothing. Files of hostile content
 * never run in the app's origin.
 */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'
import { PeerProcess, runToEnd } from '../../src/cli/peer-process.ts'
import { temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'
import { findTool, needsTool } from '../tools.ts'

interface Scene {
  peer: PeerProcess
  url: string
  context: BrowserContext
  /** Names of everything in `files`. */
  stored: () => Promise<string[]>
}

/** A peer with one secret file, and a browser where its owner is signed in. */
async function startScene(t: TestContext): Promise<Scene> {
  const folder = await temporaryFolder(t)
  const peer = new PeerProcess(program, 'owner', join(folder, 'home'))
  const flags = [
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--host-resolver-rules=MAP evil.test 127.0.0.1',
  ]
  const { url, token } = await peer.start()
  let browser: Browser | undefined
  t.after(async () => {
    await browser?.close()
    await peer.kill()
  })
  browser = await chromium.launch({ executablePath: findTool('chromium')!, args: flags })
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${url}/#token=${token}`)
  await page.getByRole('button', { name: 'Upload files' }).waitFor()
  await runToEnd(program, ['put', '-', '--to', 'files/secret.txt', '--home', peer.home], {
    input: 'the secret',
  })
  const stored = async (): Promise<string[]> => {
    const { entries } = await peer.json<{ entries: { path: string }[] }>(['ls', '-r', 'files'])
    return entries.map(({ path }) => path).sort()
  }
  return { peer, url, context, stored }
}

/** A site that serves one page, whatever is asked. */
async function startSite(t: TestContext, html: string): Promise<string> {
  const server: Server = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end(html),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** What a page tries; resolves to everything it could read. */
const attack = (target: string, port: string): string => `(async () => {
  const read = []
  const tryTo = async (name, run) => { try { const got = await Promise.race([run(), new Promise((r) => setTimeout(r, 1500))]); if (got) read.push(name + ': ' + got) } catch {} }
  const targets = ['${target}', 'http://evil.test:${port}', 'http://localhost:${port}']
  for (const to of targets) {
    for (const credentials of ['include', 'omit']) {
      await tryTo('read ' + to, async () => (await fetch(to + '/files/files/secret.txt', { credentials })).text())
      await tryTo('status ' + to, async () => (await fetch(to + '/api/v1/status', { credentials })).text())
      for (const [method, path, body] of [['PUT', '/files/files/evil', 'x'], ['DELETE', '/files/files/secret.txt'], ['POST', '/api/v1/invites', '{}'], ['POST', '/api/v1/tokens', '{"name":"evil","scopes":["admin"]}'], ['PATCH', '/api/v1/files/files/secret.txt', '{"path":"files/evil"}']])
        await tryTo(method + ' ' + to + path, async () => (await fetch(to + path, { method, body, credentials })).text())
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
        for (const path of ['/api/v1/invites', '/api/v1/batch', '/api/v1/files/files/evil', '/api/v1/sessions'])
          await tryTo('no-cors', async () => { await fetch(to + path, { method: 'POST', mode: 'no-cors', credentials, body: '{"kind":"folder"}', headers: { 'content-type': type } }); return '' })
    }
    await tryTo('image', () => new Promise((done) => { const i = new Image(); i.onload = () => done('shown'); i.onerror = () => done(''); i.src = to + '/icon.svg' }))
    await tryTo('script', () => new Promise((done) => { const s = document.createElement('script'); s.onload = () => done('ran'); s.onerror = () => done(''); s.src = to + '/files/files/secret.txt'; document.head.append(s) }))
    await tryTo('socket', () => new Promise((done) => { const s = new WebSocket(to.replace('http', 'ws') + '/events'); s.onopen = () => done('open'); s.onerror = () => done('') }))
    await tryTo('events', () => new Promise((done) => { const s = new EventSource(to + '/api/v1/status', { withCredentials: true }); s.onopen = () => done('open'); s.onerror = () => { s.close(); done('') } }))
    await tryTo('form', () => new Promise((done) => { const f = document.createElement('iframe'); f.name = 'sink'; document.body.append(f); const form = document.createElement('form'); form.method = 'POST'; form.enctype = 'text/plain'; form.target = 'sink'; form.action = to + '/api/v1/files/files/evil'; const field = document.createElement('input'); field.name = '{"kind":"folder","x":"'; field.value = '"}'; form.append(field); document.body.append(form); form.submit(); setTimeout(() => done(''), 300) }))
    await tryTo('frame', () => new Promise((done) => { const f = document.createElement('iframe'); f.src = to + '/'; f.onload = () => { try { done(f.contentDocument && f.contentDocument.body.innerText.trim()) } catch { done('') } }; document.body.append(f) }))
  }
  return read
})()`

test(
  'a page of another origin, or of a rebound name, changes, reads and frames nothing',
  needsTool('chromium'),
  async (t) => {
    const { peer, url, context, stored } = await startScene(t)
    const port = new URL(url).port
    const evil = await startSite(t, '<!doctype html><body>evil</body>')
    const before = await stored()
    const tokens = await peer.run(['token', 'list', '--json'])
    const devices = await peer.run(['device', 'list', '--json'])
    const sites = [evil, evil.replace('127.0.0.1', 'evil.test'), evil.replace('127.0.0.1', 'localhost')]
    for (const site of sites) {
      const page = await context.newPage()
      await page.goto(site)
      const found = (await page.evaluate(attack(url, port))) as string[]
      const leaked = found.filter((text) => !/HOST_REFUSED/.test(text))
      assert.deepEqual(leaked, [], site)
      // What a frame of the peer shows inside another page is the browser's own refusal.
      for (const frame of page.frames())
        if (frame !== page.mainFrame())
          assert.doesNotMatch(await frame.content().catch(() => ''), /Upload files|secret/)
      await page.close()
    }
    // The rebound name itself: the page that it shows is no page of ours.
    const rebound = await context.newPage()
    const answer = await rebound.goto(`http://evil.test:${port}/`)
    assert.equal(answer?.status(), 421)
    const found = (await rebound
      .evaluate(attack(`http://evil.test:${port}`, port))
      .catch(() => [])) as string[]
    assert.ok(
      found.every((text) => !/the secret|"peer"/.test(text)),
      found.join('\n'),
    )
    assert.deepEqual(await stored(), before)
    assert.equal(await peer.run(['token', 'list', '--json']), tokens)
    assert.equal(await peer.run(['device', 'list', '--json']), devices)
    // The owner's own page still works: the session was not spoilt either.
    const own = await context.newPage()
    await own.goto(url)
    await own.getByText('secret.txt').first().waitFor()
  },
)

test("files of hostile content never run in the app's origin", needsTool('chromium'), async (t) => {
  const { peer, url, context, stored } = await startScene(t)
  const steal = `fetch('/files/files/stolen', { method: 'PUT', body: 'x' }); document.title = 'ran'`
  const hostile: Record<string, string> = {
    'page.html': `<!doctype html><title>still</title><script>${steal}</script><img src=x onerror="${steal}">`,
    'image.svg': `<svg xmlns="http://www.w3.org/2000/svg" onload="${steal}"><script>${steal}</script></svg>`,
    'data.xml': `<?xml version="1.0"?><x:script xmlns:x="http://www.w3.org/1999/xhtml">${steal}</x:script>`,
    'page.xhtml': `<html xmlns="http://www.w3.org/1999/xhtml"><body><script>${steal}</script></body></html>`,
    'script.js': steal,
  }
  for (const [name, content] of Object.entries(hostile))
    await runToEnd(program, ['put', '-', '--to', `files/${name}`, '--home', peer.home], { input: content })
  const before = await stored()
  for (const name of Object.keys(hostile)) {
    const place = `${url}/files/files/${name}`
    const page = await context.newPage()
    await page.goto(url)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.evaluate(`location.href = '${place}'`),
    ])
    assert.equal(download.suggestedFilename(), name)
    // And where a page names it as a frame or a script, it runs nothing.
    const ran = await page.evaluate(`new Promise((done) => {
      const frame = document.createElement('iframe')
      frame.src = '${place}'
      document.body.append(frame)
      const script = document.createElement('script')
      script.src = '${place}'
      document.head.append(script)
      setTimeout(() => done(document.title), 500)
    })`)
    assert.notEqual(ran, 'ran', name)
    await page.close()
  }
  assert.deepEqual(await stored(), before)
})
