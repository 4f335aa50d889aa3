import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { systemRandom } from '../base/random.ts'
import type { PeerId } from '../base/words.ts'
import { AddressBook } from './address-book.ts'
import { dialable, listenAddresses, parseAddress } from './addresses.ts'
import { peerIdOf } from './peer-key.ts'

const peer = peerIdOf(systemRandom.bytes(32))
const other = peerIdOf(systemRandom.bytes(32))

test('addresses are read in every form people type', () => {
  const forms = {
    '192.168.1.2': '/ip4/192.168.1.2/tcp/8081',
    '192.168.1.2:9000': '/ip4/192.168.1.2/tcp/9000',
    'nas.local': '/dns/nas.local/tcp/8081',
    'nas:9000': '/dns/nas/tcp/9000',
    '[fd00::1]:9000': '/ip6/fd00::1/tcp/9000',
    'fd00::1': '/ip6/fd00::1/tcp/8081',
    '/ip4/10.0.0.1/tcp/8081': '/ip4/10.0.0.1/tcp/8081',
    [`/dns4/nas/tcp/1/p2p/${peer}`]: `/dns4/nas/tcp/1/p2p/${peer}`,
  }
  for (const [text, address] of Object.entries(forms)) assert.equal(parseAddress(text).toString(), address)
})

test('what is no address is refused', () => {
  const wrong = [
    '',
    ':8081',
    'a b',
    'host:0',
    'host:70000',
    'host:',
    '/ip4/1.2.3.4',
    '/ip4/1.2.3.4/udp/1',
    '/nonsense',
  ]
  wrong.push(
    '/ip4/1.2.3.4/tcp/1/ws',
    '/unix/tmp/x',
    'x'.repeat(300),
    `/ip4/1.2.3.4/tcp/1/p2p/${peer}/p2p-circuit`,
  )
  for (const text of wrong)
    assert.throws(
      () => parseAddress(text),
      (error) => isCode(error, 'BAD_INPUT'),
      text,
    )
})

const info = (address: string, internal: boolean, family: 'IPv4' | 'IPv6' = 'IPv4'): NetworkInterfaceInfo =>
  ({ address, internal, family, netmask: '', mac: '', cidr: null, scopeid: 0 }) as NetworkInterfaceInfo

test('a loopback host tells only itself; all interfaces tell LAN addresses before loopback', () => {
  const interfaces = {
    lo: [info('127.0.0.1', true), info('::1', true, 'IPv6')],
    eth0: [info('192.168.1.2', false), info('fe80::1', false, 'IPv6'), info('fd00::2', false, 'IPv6')],
  }
  assert.deepEqual(listenAddresses('127.0.0.1', 1, interfaces), ['/ip4/127.0.0.1/tcp/1'])
  assert.deepEqual(listenAddresses('192.168.1.2', 1, interfaces), ['/ip4/192.168.1.2/tcp/1'])
  assert.deepEqual(listenAddresses('0.0.0.0', 1, interfaces), [
    '/ip4/192.168.1.2/tcp/1',
    '/ip4/127.0.0.1/tcp/1',
  ])
})

test("others' nonsense is not dialled, and loopback comes last", () => {
  const addresses = [
    '/ip4/127.0.0.1/tcp/1',
    '/ip4/0.0.0.0/tcp/1',
    '/ip4/224.0.0.1/tcp/1',
    '/ip6/ff02::1/tcp/1',
    `/ip4/10.0.0.1/tcp/1/p2p/${other}`,
    `/ip4/10.0.0.2/tcp/1/p2p/${peer}`,
    '/ip4/10.0.0.2/tcp/1',
    'x'.repeat(10_000),
  ]
  const dialled = dialable(addresses, peer, 16).map(String)
  assert.deepEqual(dialled, ['/ip4/10.0.0.2/tcp/1', '/ip4/127.0.0.1/tcp/1'])
})

test('the address book is bounded in peers and addresses', () => {
  const book = new AddressBook()
  const many = Array.from({ length: 100 }, (_, index) => `/ip4/10.0.0.${index}/tcp/1`)
  assert.ok(book.learn(peer, many))
  assert.equal(book.learn(peer, many.slice(0, 3)), false)
  assert.equal(book.of(peer, []).length, limits.peerAddresses)
  for (let index = 0; index < limits.peers; index += 1)
    book.learn(`peer ${index}` as PeerId, many.slice(0, 1))
  assert.equal(book.of(peer, []).length, 0)
  assert.equal(book.of(peer, ['/ip4/10.0.0.9/tcp/1']).length, 1)
})
