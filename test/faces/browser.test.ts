/** The page in a real browser: sign in by the link, upload by drop and by button, see copies, download, delete, undo; the pool's devices. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'
import { PeerProcess } from '../../src/cli/peer-process.ts'
import { findTool, needsTool } from '../tools.ts'
import { program } from '../program.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('the page in a browser', needsTool('chromium'), () => {
  let folder = ''
  let browser: Browser
  let page: Page
  let first: PeerProcess
  let second: PeerProcess

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerstor-browser-'))
    first = new PeerProcess(program, 'kitchen', join(folder, 'kitchen'))
    second = new PeerProcess(program, 'attic', join(folder, 'attic'))
    const { url } = await first.start()
    const { code } = await first.json<{ code: string }>(['invite'])
    await second.start(undefined, code)
    const flags = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run']
    browser = await chromium.launch({ executablePath: findTool('chromium')!, args: flags })
    page = await browser.newPage({ viewport: { width: 1200, height: 800 }, acceptDownloads: true })
    page.on('pageerror', (error) => assert.fail(`the page threw: ${error.message}`))
    await page.goto(`${url}/#token=${first.started.token}`)
  })

  after(async () => {
    await browser?.close()
    await Promise.all([first?.stop(), second?.stop()])
    await rm(folder, { recursive: true, force: true })
  })

  test('the link signs in and its token leaves the address', async () => {
    await page.getByRole('button', { name: 'Upload files' }).waitFor()
    assert.ok(!page.url().includes('token'))
  })

  test('a dropped file shows progress, then two copies, and is downloaded byte-identical', async () => {
    const content = await readFile(process.execPath)
    await page.locator('input[type=file]').first().setInputFiles(process.execPath)
    await page.locator('.copies', { hasText: '2/2' }).first().waitFor({ timeout: 60_000 })
    const name = process.execPath.split(/[\\/]/).at(-1)!
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: `Download ${name}` }).click(),
    ])
    assert.equal(sha256(await readFile((await download.path())!)), sha256(content))
  })

  test('text dropped on the page arrives, folders included', async () => {
    const data = await page.evaluateHandle(`(() => {
      const transfer = new DataTransfer()
      transfer.items.add(new File(['hello from a drop'], 'drop.txt', { type: 'text/plain' }))
      return transfer
    })()`)
    await page.dispatchEvent('main', 'dragover', { dataTransfer: data })
    await page.dispatchEvent('main', 'drop', { dataTransfer: data })
    await page.getByRole('button', { name: 'drop.txt', exact: true }).waitFor()
  })

  test('a folder goes up with its names and comes down as a zip', async () => {
    const tree = join(folder, 'Bäume & #1')
    await mkdir(join(tree, 'ä% 日本'), { recursive: true })
    await writeFile(join(tree, 'ä% 日本', "it's + 1.txt"), 'leaf')
    await page.locator('input[webkitdirectory]').setInputFiles(tree)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download Bäume & #1' }).click(),
    ])
    assert.equal(download.suggestedFilename(), 'Bäume & #1.zip')
    const archive = await readFile((await download.path())!)
    assert.equal(archive.readUInt32LE(0), 0x0403_4b50)
    assert.ok(archive.includes("Bäume & #1/ä% 日本/it's + 1.txt"), 'the name stands in the archive')
    assert.ok(archive.includes('leaf'))
  })

  test('details name the devices that hold the copies', async () => {
    await page.getByRole('button', { name: 'drop.txt', exact: true }).click()
    const details = page.getByLabel('Details')
    await details.getByText('kitchen').first().waitFor()
    await details.getByText('attic').first().waitFor()
    await details.getByText(/2 of 2 wanted copies/).waitFor()
    await details.getByText('1 left without it').first().waitFor()
    await details.getByRole('checkbox', { name: /Priority/ }).click()
    await details.locator('input[type=checkbox]:checked').waitFor()
    await details.getByRole('button', { name: 'Close' }).click()
  })

  test('delete goes to the trash and undo brings the file back', async () => {
    await page.getByRole('button', { name: 'Delete drop.txt' }).click()
    await page.getByRole('button', { name: 'drop.txt', exact: true }).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByRole('button', { name: 'drop.txt', exact: true }).waitFor()
  })

  test('tags and a description are said in the details, and found by the search box', async () => {
    await page.getByRole('button', { name: 'drop.txt', exact: true }).click()
    const details = page.getByLabel('Details')
    await details.getByRole('textbox', { name: 'Add a tag' }).fill('holiday, blue sea')
    await page.keyboard.press('Enter')
    await details.getByRole('button', { name: 'blue sea', exact: true }).waitFor()
    await details.getByRole('textbox', { name: 'Description' }).fill('what was dropped')
    await page.keyboard.press('Tab')
    await details.getByRole('button', { name: 'Save' }).waitFor({ state: 'detached' })
    await details.getByRole('combobox', { name: 'Category' }).selectOption('archive')
    await page.screenshot({ path: '.cache/details.png' })
    assert.equal(
      await page.getByRole('img', { name: /at the same time/ }).count(),
      0,
      'no conflict with oneself',
    )
    await page.keyboard.press('Escape')
    await details.waitFor({ state: 'detached' })

    await page.keyboard.press('/')
    await page.keyboard.type('DROPPED')
    const found = page.getByLabel('Search results')
    await found.getByRole('button', { name: 'drop.txt', exact: true }).waitFor()
    await found.getByRole('button', { name: /^Archives/ }).click()
    await found.getByRole('button', { name: 'drop.txt', exact: true }).waitFor()
    assert.match(page.url(), /#!search\?words=DROPPED&category=archive$/)
    await page.screenshot({ path: '.cache/search.png' })
    await page.reload()
    await found.getByRole('button', { name: 'drop.txt', exact: true }).waitFor()
    await found.getByRole('button', { name: 'holiday' }).click()
    await found.getByRole('button', { name: 'Without the filter holiday' }).waitFor()
    await page.getByRole('searchbox').fill('nothing like it')
    await found.getByText('Nothing found.').waitFor()
    await page.getByRole('searchbox').press('Escape')
    await page.getByRole('button', { name: 'Upload files' }).waitFor()
  })

  test('an earlier version comes back; the trash gives back and is emptied', async () => {
    const put = async (body: string): Promise<void> => {
      const headers = { authorization: `Bearer ${first.started.token}` }
      const url = `${first.started.url}/files/files/notes.txt`
      assert.ok((await fetch(url, { method: 'PUT', body, headers })).ok)
    }
    await put('first')
    await put('second one')
    page.on('dialog', (dialog) => void dialog.accept())
    await page.getByRole('button', { name: 'notes.txt', exact: true }).click()
    const details = page.getByLabel('Details')
    await details.getByRole('button', { name: 'Restore' }).click()
    await details.getByText('5 B').nth(1).waitFor()
    assert.equal(await details.locator('.versions li').count(), 3)
    await details.getByRole('button', { name: 'Delete this version for good' }).first().click()
    await details.locator('.versions li').nth(2).waitFor({ state: 'detached' })
    await details.getByRole('button', { name: 'Close' }).click()

    await page.getByRole('button', { name: 'Delete notes.txt' }).click()
    await page.getByRole('button', { name: 'Trash', exact: true }).click()
    const trash = page.getByLabel('Trash', { exact: true })
    await trash.getByText('files/notes.txt').waitFor()
    await page.setViewportSize({ width: 390, height: 780 })
    await page.screenshot({ path: '.cache/trash-phone.png' })
    await page.setViewportSize({ width: 1200, height: 800 })
    await trash.getByRole('button', { name: 'Restore' }).click()
    await trash.getByText('files/notes.txt').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Files', exact: true }).click()
    await page.getByRole('button', { name: 'Delete notes.txt' }).click()
    await page.getByRole('button', { name: 'Trash', exact: true }).click()
    await trash.getByRole('button', { name: 'Empty the trash' }).click()
    await trash.getByText('The trash is empty').waitFor()
    await page.getByRole('button', { name: 'Files', exact: true }).click()
  })

  test('a folder is shown as it was at a time, brought back, and that is undone', async () => {
    const headers = { authorization: `Bearer ${first.started.token}` }
    const url = `${first.started.url}/files/files/album/photo.txt`
    const put = async (body: string) => assert.ok((await fetch(url, { method: 'PUT', body, headers })).ok)
    const content = async () => (await fetch(url, { headers })).text()
    await put('then')
    // The picker knows whole seconds.
    const then = Math.ceil(Date.now() / 1000) * 1000
    while (Date.now() <= then) await page.waitForTimeout(20)
    await put('since')
    await page.getByRole('button', { name: 'album', exact: true }).click()
    const local = new Date(then - new Date(then).getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
    await page.getByLabel('As it was at').fill(local)
    await page.getByRole('button', { name: 'Restore photo.txt as it was' }).waitFor()
    assert.match(page.url(), /#!then\?path=files%2Falbum&at=/)
    await page.reload()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download photo.txt' }).click(),
    ])
    assert.equal(await readFile((await download.path())!, 'utf8'), 'then')
    await page.screenshot({ path: '.cache/then.png' })
    await page.getByRole('button', { name: 'Restore this folder' }).click()
    await page.getByRole('button', { name: 'Upload files' }).waitFor()
    assert.equal(await content(), 'then')
    const undone = page.waitForResponse((response) => response.url().includes('/api/v1/restore/'))
    await page.getByRole('button', { name: 'Undo' }).click()
    await undone
    assert.equal(await content(), 'since')
    await page.getByRole('button', { name: 'Files', exact: true }).click()
  })

  test('devices are shown, and an invite with its QR', async () => {
    await page.getByRole('button', { name: 'Devices', exact: true }).click()
    await page.getByRole('heading', { name: 'attic' }).waitFor()
    await page.getByRole('region', { name: 'What needs attention' }).waitFor()
    await page.getByRole('button', { name: 'Add a device' }).click()
    await page.locator('dialog svg').waitFor()
    await mkdir('.cache', { recursive: true })
    await page.screenshot({ path: '.cache/devices.png' })
    await page.keyboard.press('Escape')
  })

  test('a page without the token is asked to sign in', async () => {
    const stranger = await browser.newContext()
    const other = await stranger.newPage()
    await other.goto(first.started.url)
    await other.getByRole('heading', { name: 'Sign in' }).waitFor()
    assert.equal(await other.getByRole('button', { name: 'Upload files' }).count(), 0)
    await stranger.close()
  })
  test('whose session is ended sees the sign-in page', async () => {
    const headers = { authorization: `Bearer ${first.started.token}` }
    const sessions = `${first.started.url}/api/v1/sessions`
    const list = (await (await fetch(sessions, { headers })).json()) as { sessions: { id: string }[] }
    for (const { id } of list.sessions) await fetch(`${sessions}/${id}`, { method: 'DELETE', headers })
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})
