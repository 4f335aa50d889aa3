/** `/dav/` through a real server: the rules that litmus does not try, and requests that mean harm. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { limits } from '../base/limits.ts'
import { type Answer, type Asked, type WebFaceFixture, startFixture } from './web-face.fixture.ts'

interface Scenario extends Asked {
  name: string
  status: number
  content?: RegExp
}

async function check(web: WebFaceFixture, scenarios: Scenario[]): Promise<void> {
  for (const { name, status, content, ...asked } of scenarios) {
    const answer = await web.ask(asked)
    assert.equal(answer.status, status, `${name}: ${answer.text}`)
    if (content !== undefined) assert.match(answer.text, content, name)
  }
  await web.requireAlive()
}

async function withFiles(t: TestContext): Promise<WebFaceFixture> {
  const web = await startFixture(t)
  for (const path of ['a', 'in/b', 'out/c'])
    await web.ask({ method: 'PUT', path: `/files/files/${path}`, body: path })
  return web
}

const lockBody = (scope = 'exclusive'): string =>
  `<lockinfo xmlns="DAV:"><lockscope><${scope}/></lockscope><locktype><write/></locktype><owner>me</owner></lockinfo>`

const tokenOf = (answer: Answer): string => String(answer.headers['lock-token'])

test('who asks shows a token; a cookie is none', async (t) => {
  const web = await withFiles(t)
  const session = await web.ask({
    method: 'POST',
    path: '/api/v1/sessions',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: web.token }),
  })
  const cookie = String(session.headers['set-cookie']).split(';')[0] ?? ''
  assert.match(cookie, /^peerstor-/)
  for (const method of ['PROPFIND', 'PUT', 'DELETE', 'LOCK', 'GET']) {
    const answer = await web.ask({ method, path: '/dav/files/a', token: null, headers: { cookie } })
    assert.equal(answer.status, 401, method)
    assert.equal(answer.headers['www-authenticate'], 'Basic realm="PeerStor", charset="UTF-8"', method)
  }
  const basic = `Basic ${Buffer.from(`anybody:${web.token}`).toString('base64')}`
  const found = await web.ask({
    method: 'PROPFIND',
    path: '/dav/',
    token: null,
    headers: { authorization: basic, depth: '1' },
  })
  assert.equal(found.status, 207)
  assert.match(found.text, /<D:href>\/dav\/files\/<\/D:href>/)
  for (const path of ['/', '/dav', '/dav/', '/dav/files/x']) {
    const { headers } = await web.ask({ method: 'OPTIONS', path, token: null })
    assert.deepEqual([headers['dav'], headers['ms-author-via']], ['1, 2', 'DAV'], path)
  }
})

test('the top of the host answers as Explorer asks it before it connects', async (t) => {
  const web = await withFiles(t)
  const top = (depth: string, token?: string | null) =>
    web.ask({ method: 'PROPFIND', path: '/', headers: { depth }, ...(token === undefined ? {} : { token }) })
  assert.equal((await top('1', null)).status, 401)
  const hrefs = async (depth: string): Promise<string[]> =>
    [...(await top(depth)).text.matchAll(/<D:href>([^<]*)<\/D:href>/g)].map(([, href]) => href ?? '')
  assert.deepEqual(await hrefs('0'), ['/'])
  assert.deepEqual(await hrefs('1'), ['/', '/dav/'])
  const { text } = await top('1', await web.tokenWith(['read'], 'files/in'))
  assert.match(text, /<D:displayname>dav<\/D:displayname>/)
  assert.equal(text.match(/<D:collection\/>/g)?.length, 2)
})

test('of many that make one folder at once exactly one does', async (t) => {
  const web = await withFiles(t)
  for (const path of ['one', 'in/two']) {
    const made = await Promise.all(
      Array.from({ length: 12 }, () => web.ask({ method: 'MKCOL', path: `/dav/files/${path}` })),
    )
    const statuses = made.map(({ status }) => status)
    assert.equal(statuses.filter((status) => status === 201).length, 1)
    assert.equal(statuses.filter((status) => status === 405).length, 11)
    assert.equal((await web.peer.files.versions(`files/${path}`)).length, 1)
  }
})

test('properties set at once are all kept, and no version is a conflict', async (t) => {
  const web = await withFiles(t)
  const names = Array.from({ length: 8 }, (_, n) => `p${n}`)
  const body = (name: string): string => proppatch(`<${name} xmlns="u:">1</${name}>`)
  await Promise.all(
    names.map((name) => web.ask({ method: 'PROPPATCH', path: '/dav/files/a', body: body(name) })),
  )
  const line = web.peer.files.look('files/a')
  assert.deepEqual(
    Object.keys(line?.properties ?? {}).sort(),
    names.map((name) => `{u:}${name}`),
  )
  assert.equal(line?.conflict, undefined)
})

test('a listing is as davfs2 reads it: addresses, slashes, dates and lengths', async (t) => {
  const web = await withFiles(t)
  await web.ask({ method: 'PUT', path: '/files/files/in/n%C3%A4me%20%23%3F%25.txt', body: '12345' })
  const wanted = ['getetag', 'getcontentlength', 'creationdate', 'getlastmodified', 'resourcetype']
  const { text } = await web.ask({
    method: 'PROPFIND',
    path: '/dav/files/in/',
    headers: { depth: '1' },
    body: `<propfind xmlns="DAV:"><prop>${wanted.map((name) => `<${name}/>`).join('')}</prop></propfind>`,
  })
  const members = [...text.matchAll(/<D:response>.*?<\/D:response>/gs)].map(([member]) => member)
  assert.ok(members.length >= 3)
  for (const member of members) {
    const [good = '', missing = ''] = member.split('</D:propstat>')
    const href = /<D:href>([^<]*)<\/D:href>/.exec(member)?.[1] ?? ''
    const isFolder = good.includes('<D:collection/>')
    // A path, not a whole address, below what was asked; folders end in a slash, files do not.
    assert.ok(href.startsWith('/dav/files/in/'), href)
    assert.equal(href.endsWith('/'), isFolder, href)
    assert.ok(!/[^\w/.%~!$&'()*+,;=:@-]/.test(href.replaceAll('&amp;', '&')), href)
    assert.match(good, /<D:status>HTTP\/1.1 200 OK/)
    if (isFolder) assert.match(missing, /<D:getcontentlength\/>.*404/s)
    else {
      assert.match(good, /<D:getcontentlength>\d+<\/D:getcontentlength>/)
      assert.match(good, /<D:getlastmodified>\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT<\/D:getlastmodified>/)
      assert.match(good, /<D:creationdate>\d{4}-\d\d-\d\dT[\d:.]+Z<\/D:creationdate>/)
      assert.match(good, /<D:getetag>"\w+"<\/D:getetag>/)
    }
  }
  assert.ok(members.some((member) => member.includes(`/dav/files/in/${encodeURIComponent('näme #?%.txt')}<`)))
})

test('a token does what it may, on the paths it may', async (t) => {
  const web = await withFiles(t)
  const confined = await web.tokenWith(['write'], 'files/in')
  const reader = await web.tokenWith(['read'])
  await web.ask({ method: 'PUT', path: '/files/files/in/deep/er/d', body: 'd' })
  const deep = await web.tokenWith(['write'], 'files/in/deep/er')
  const to = (path: string): Record<string, string> => ({ destination: `/dav/files/${path}` })
  const as = (token: string, method: string, path: string, more: Partial<Scenario> = {}): Scenario => ({
    name: `${method} ${path}`,
    method,
    path: `/dav/files/${path}`,
    token,
    status: 403,
    ...more,
  })
  await check(web, [
    as(confined, 'PUT', 'in/new', { body: 'x', status: 201 }),
    as(confined, 'PUT', 'out/new', { body: 'x' }),
    as(confined, 'DELETE', 'out/c'),
    as(confined, 'GET', 'out/c'),
    as(confined, 'PROPFIND', 'out/c', { headers: { depth: '0' } }),
    as(confined, 'PROPPATCH', 'out/c', { body: proppatch('<x xmlns="u:">1</x>') }),
    as(confined, 'LOCK', 'out/c', { body: lockBody() }),
    as(confined, 'COPY', 'in/b', { headers: to('out/b') }),
    as(confined, 'COPY', 'out/c', { headers: to('in/c') }),
    as(confined, 'MOVE', 'in/b', { headers: to('out/b') }),
    as(confined, 'MKCOL', 'out/box'),
    as(confined, 'COPY', 'in/b', { headers: to('in/copied'), status: 201 }),
    as(deep, 'DELETE', 'in/deep/er', { status: 204 }),
    as(reader, 'GET', 'a', { status: 200 }),
    as(reader, 'PUT', 'a', { body: 'x' }),
    as(reader, 'LOCK', 'a', { body: lockBody() }),
    as(reader, 'COPY', 'a', { headers: to('b') }),
  ])
})

test('folders of the pool are the admin’s; members need a folder that is there', async (t) => {
  const web = await withFiles(t)
  const dav = (method: string, path: string, status: number, more: Partial<Asked> = {}): Scenario => ({
    name: `${method} ${path}`,
    method,
    path: `/dav/${path}`,
    status,
    ...more,
  })
  const overwrite = (destination: string, value = 'T'): Partial<Asked> => ({
    headers: { destination, overwrite: value },
  })
  await check(web, [
    dav('MKCOL', 'new', 403),
    dav('MKCOL', 'files', 405),
    dav('MKCOL', '', 405),
    dav('MKCOL', 'files/a', 405),
    dav('MKCOL', 'files/no/where', 409),
    dav('MKCOL', 'files/box', 415, { body: '<x/>' }),
    dav('MKCOL', 'files/box', 201),
    dav('PUT', 'files/box', 405, { body: 'x' }),
    dav('PUT', 'files/no/where', 409, { body: 'x' }),
    dav('PUT', 'files/a/below', 409, { body: 'x' }),
    dav('PUT', 'nowhere', 403, { body: 'x' }),
    dav('PUT', 'files/part', 400, { body: 'x', headers: { 'content-range': 'bytes 0-0/2' } }),
    dav('PUT', 'files/a', 412, { body: 'x', headers: { 'if-none-match': '*' } }),
    dav('PUT', 'files/new', 412, { body: 'x', headers: { 'if-match': '*' } }),
    dav('DELETE', 'files', 403),
    dav('DELETE', '', 403),
    dav('MOVE', 'files', 403, overwrite('/dav/other')),
    dav('MOVE', 'files/in', 403, overwrite('/dav/files/in/below')),
    dav('COPY', 'files/in/b', 403, overwrite('/dav/files/in')),
    dav('COPY', 'files/a', 403, overwrite('/dav/files')),
    dav('COPY', 'files/a', 403, overwrite('/dav/files/a')),
    dav('COPY', 'files/a', 412, overwrite('/dav/files/in/b', 'F')),
    dav('COPY', 'files/a', 204, overwrite('/dav/files/in/b')),
    dav('COPY', 'files/none', 404, overwrite('/dav/files/x')),
    dav('COPY', 'files/a', 409, overwrite('/dav/files/no/where')),
    dav('GET', 'files/in', 200),
    dav('DELETE', 'files/out/c', 204),
    // A folder does not go with its last file.
    dav('PROPFIND', 'files/out', 207, { headers: { depth: '1' } }),
    dav('POST', 'files/a', 405),
  ])
})

test('addresses in headers lead to this peer’s files or nowhere', async (t) => {
  const web = await withFiles(t)
  const own = `http://127.0.0.1:${web.face.port}`
  const destinations: [string, number][] = [
    ['http://other.example/dav/files/x', 502],
    [`http://127.0.0.1:1/dav/files/x`, 502],
    [`http://127.0.0.1:${web.face.port}@other.example/dav/files/x`, 502],
    ['/files/files/x', 502],
    ['/', 502],
    ['ftp://127.0.0.1/dav/files/x', 400],
    ['dav/files/x', 400],
    ['', 400],
    ['/dav/../dav/files/x', 400],
    ['/dav/files/../../etc/passwd', 400],
    ['/dav/files/%2e%2e/x', 400],
    ['/dav/files/..%2fx', 400],
    ['/dav/files/a%2fb', 400],
    ['/dav/files/%5c..%5cx', 400],
    ['/dav/files/%00', 400],
    ['/dav/files/%ff', 400],
    ['/dav/files//x', 400],
    ['/dav/files/x?y', 400],
    [`/dav/files/${'x'.repeat(300)}`, 400],
    [`${own}/dav/files/x`, 201],
    [`${own.replace('http', 'HTTP')}/dav/files/y`, 201],
  ]
  await check(
    web,
    destinations.map(([destination, status]) => ({
      name: destination,
      method: 'COPY',
      path: '/dav/files/a',
      headers: { destination },
      status,
    })),
  )
  const { entries } = await web.peer.files.list('files')
  assert.deepEqual(
    entries.map(({ path }) => path),
    ['files/a', 'files/in', 'files/out', 'files/x', 'files/y'],
  )
})

test('XML that means harm is refused', async (t) => {
  const web = await withFiles(t)
  const bomb = `<!DOCTYPE x [${Array.from({ length: 20 }, (_, n) => `<!ENTITY e${n + 1} "&e${n};&e${n};">`).join('')}]><propfind xmlns="DAV:"><prop><x>&e20;</x></prop></propfind>`
  const find = (name: string, body: string, status: number, headers = {}): Scenario => ({
    name,
    method: 'PROPFIND',
    path: '/dav/files/',
    headers: { depth: '0', ...headers },
    body,
    status,
  })
  await check(web, [
    find('bomb', bomb, 400),
    find('outside file', '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', 400),
    find('deep', '<x>'.repeat(100_000), 400),
    find('large', ' '.repeat(limits.xmlBytes + 1), 413),
    find('another document', '<x/>', 400),
    find('no bytes of UTF-8', '<x>\u{FFFD}', 400),
    find('Depth: infinity', '', 403, { depth: 'infinity' }),
    find('another depth', '', 400, { depth: '2' }),
    find('many names', `<propfind xmlns="DAV:"><prop>${'<x/>'.repeat(100_000)}</prop></propfind>`, 207),
    find('__proto__', '<propfind xmlns="DAV:"><prop><__proto__ xmlns=""/></prop></propfind>', 207),
    { ...find('no lock', '<x/>', 400), method: 'LOCK' },
    { ...find('no update', '<x/>', 400), method: 'PROPPATCH' },
  ])
  const infinite = await web.ask({ method: 'PROPFIND', path: '/dav/files/' })
  assert.match(infinite.text, /<D:propfind-finite-depth\/>/)
})

const proppatch = (set: string, remove = ''): string =>
  `<propertyupdate xmlns="DAV:"><set><prop>${set}</prop></set>` +
  `${remove === '' ? '' : `<remove><prop>${remove}</prop></remove>`}</propertyupdate>`

test('properties change all or none, and files know what Explorer and davfs2 set', async (t) => {
  const web = await withFiles(t)
  const patch = (body: string): Promise<Answer> =>
    web.ask({ method: 'PROPPATCH', path: '/dav/files/a', body })
  const refused = await patch(proppatch('<x xmlns="u:">1</x><getetag>2</getetag>'))
  assert.equal(refused.status, 207)
  assert.match(
    refused.text,
    /<D:getetag\/><\/D:prop><D:status>HTTP\/1.1 403 .*cannot-modify-protected-property/,
  )
  assert.match(refused.text, /<x xmlns="u:"\/><\/D:prop><D:status>HTTP\/1.1 424 /)
  assert.equal(web.peer.files.look('files/a')?.properties, undefined)

  await patch(
    proppatch(
      '<x xmlns="u:" y="&lt;">1<b xmlns="">&amp;</b></x><m:Win32LastModifiedTime xmlns:m="urn:schemas-microsoft-com:">Sat, 01 Jan 2000 00:00:00 GMT</m:Win32LastModifiedTime>' +
        '<m:Win32FileAttributes xmlns:m="urn:schemas-microsoft-com:">00000022</m:Win32FileAttributes>' +
        '<executable xmlns="http://apache.org/dav/props/">T</executable>',
    ),
  )
  const line = web.peer.files.look('files/a')
  assert.deepEqual([line?.modified, line?.mode], ['2000-01-01T00:00:00.000Z', 0o755])
  assert.deepEqual(Object.keys(line?.properties ?? {}), ['{u:}x'])
  const read = await web.ask({
    method: 'PROPFIND',
    path: '/dav/files/a',
    headers: { depth: '0' },
    body: '<propfind xmlns="DAV:"><prop><x xmlns="u:"/><getlastmodified/><quota-used-bytes/><none/></prop></propfind>',
  })
  assert.match(read.text, /<x xmlns="u:" y="&lt;">1<b xmlns="">&amp;<\/b><\/x>/)
  assert.match(read.text, /<D:getlastmodified>Sat, 01 Jan 2000 00:00:00 GMT</)
  assert.match(read.text, /<D:quota-used-bytes>\d+</)
  assert.match(read.text, /<D:none\/><\/D:prop><D:status>HTTP\/1.1 404 /)
  const large = await patch(proppatch(`<x xmlns="u:">${'y'.repeat(limits.propertyBytes)}</x>`))
  assert.match(large.text, /507 Insufficient Storage/)
  await patch(proppatch('<z xmlns="u:"/>', '<x xmlns="u:"/>'))
  assert.deepEqual(Object.keys(web.peer.files.look('files/a')?.properties ?? {}), ['{u:}z'])
})

test('a locked file is changed by who holds the token, and by nobody else', async (t) => {
  const web = await withFiles(t)
  const other = await web.tokenWith(['write'])
  const locked = await web.ask({
    method: 'LOCK',
    path: '/dav/files/in',
    body: lockBody(),
    headers: { timeout: 'Second-60' },
  })
  assert.equal(locked.status, 200)
  assert.match(locked.text, /<D:timeout>Second-60</)
  const token = tokenOf(locked)
  const tagged = { if: `</dav/files/in/> (${token})` }
  const change = (name: string, status: number, more: Partial<Asked>): Scenario => ({
    name,
    method: 'PUT',
    path: '/dav/files/in/b',
    ...(more.method === undefined ? { body: 'x' } : {}),
    status,
    ...more,
  })
  await check(web, [
    change('without the token', 423, {}),
    change('with the token of another', 423, { token: other, headers: { if: `(${token})` } }),
    change('with it', 204, { headers: { if: `(${token})` } }),
    change('with it, tagged', 204, { headers: tagged }),
    change('with it for another server', 412, {
      headers: { if: `<http://other.example/dav/files/in/> (${token})` },
    }),
    change('a new member', 423, { path: '/dav/files/in/new' }),
    change('removed from above', 423, { method: 'DELETE', path: '/dav/files/in' }),
    change('moved away', 423, { method: 'MOVE', headers: { destination: '/dav/files/away' } }),
    change('moved in', 423, {
      method: 'MOVE',
      path: '/dav/files/a',
      headers: { destination: '/dav/files/in/a' },
    }),
    change('copied in', 423, {
      method: 'COPY',
      path: '/dav/files/a',
      headers: { destination: '/dav/files/in/a' },
    }),
    change('copied out', 201, { method: 'COPY', headers: { destination: '/dav/files/copied' } }),
    change('locked again', 423, { method: 'LOCK', body: lockBody('shared') }),
    change('refreshed by another', 412, { method: 'LOCK', body: '', token: other, headers: tagged }),
    change('refreshed', 200, { method: 'LOCK', body: '', headers: tagged }),
    change('unlocked by another', 403, { method: 'UNLOCK', token: other, headers: { 'lock-token': token } }),
    change('unlocked with another token', 409, { method: 'UNLOCK', headers: { 'lock-token': '<urn:x>' } }),
    change('unlocked with none', 400, { method: 'UNLOCK' }),
    change('unlocked', 204, { method: 'UNLOCK', headers: { 'lock-token': token } }),
    change('free again', 204, {}),
  ])
})

test('an If header is read to its end or refused', async (t) => {
  const web = await withFiles(t)
  const { headers } = await web.ask({ path: '/dav/files/a' })
  const etag = String(headers['etag'])
  const put = (header: string, status: number): Scenario => ({
    name: header.slice(0, 100),
    method: 'PUT',
    path: '/dav/files/a',
    body: 'a',
    headers: { if: header },
    status,
  })
  await check(web, [
    put(`([${etag}])`, 204),
    put(`(["x"]) ([${etag}])`, 204),
    put(`(Not ["x"])`, 204),
    put(`(Not <DAV:no-lock> [${etag}])`, 204),
    put(`(["x"])`, 412),
    put(`([W/${etag}])`, 412),
    put(`([${etag}] <DAV:no-lock>)`, 412),
    put(`</dav/files/in/b> ([${etag}])`, 412),
    put(`</dav/files/none> (Not [${etag}])`, 204),
    ...[
      '(',
      ')',
      '()',
      '(Not)',
      '(Not Not ["x"])',
      '["x"]',
      '<x>',
      '(["x"]',
      `([${etag}]) x`,
      `(<x> (<y>))`,
      '<//> (["x"])',
      'x'.repeat(5000),
      '('.repeat(5000),
    ].map((header) => put(header, 400)),
  ])
})

test('a file comes in chunks with its length apart, and keeps its time', async (t) => {
  const web = await startFixture(t)
  const put = (headers: Record<string, string>, path = '/dav/files/a'): Promise<Answer> =>
    web.ask({ method: 'PUT', path, headers: { 'transfer-encoding': 'chunked', ...headers }, body: 'hello' })
  const first = await put({ 'x-expected-entity-length': '5', 'x-oc-mtime': '1600000000.5' })
  assert.equal(first.status, 201)
  assert.equal(first.headers['x-oc-mtime'], 'accepted')
  assert.equal(web.peer.files.look('files/a')?.modified, '2020-09-13T12:26:40.500Z')
  assert.equal((await put({ 'x-expected-entity-length': '6' })).status, 409)
  assert.equal((await put({ 'x-expected-entity-length': String(2 ** 45) })).status, 507)
  assert.equal((await put({ 'x-oc-mtime': 'yesterday' })).status, 204)
  assert.equal((await web.ask({ path: '/dav/files/a' })).text, 'hello')
})
