/**
 * The bytes of a zip archive (PKWARE APPNOTE 6.3): members are stored, not compressed, so that the
 * length is known before the first byte; their CRC follows their content. Names are UTF-8. Zip64 where
 * a number needs it, and only there: old readers open everything else.
 */

export interface ZipMember {
  /** With `/` between parts; a folder's ends in one. */
  name: string
  size: number
  /** Wall milliseconds. */
  modified: number
  /** POSIX mode with the kind of file. */
  mode: number
  /** Of the content, known behind it. */
  crc: number
  /** Where its header begins. */
  offset: number
}

const limit32 = 0xffff_ffff
const limit16 = 0xffff
/** Version 4.5 knows zip64; "made by" Unix says that modes are meant. */
const neededPlain = 20
const neededZip64 = 45
const madeByUnix = (3 << 8) | neededZip64
/** Names are UTF-8; CRC and sizes come behind the content. */
const utf8Flag = 0x0800
const descriptorFlag = 0x0008

/** Bytes of a whole archive. */
export function zipLength(members: Iterable<ZipMember>): number {
  let offset = 0
  let central = 0
  let count = 0
  for (const member of members) {
    central += centralHeader({ ...member, offset }).length
    offset += localHeader(member).length + member.size + descriptorLength(member)
    count += 1
  }
  return offset + central + endOf({ count, offset, length: central }).length
}

const isZip64 = ({ size }: ZipMember): boolean => size >= limit32
const isFolder = ({ name }: ZipMember): boolean => name.endsWith('/')

/** Stands before a member's content. */
export function localHeader(member: ZipMember): Buffer {
  const name = Buffer.from(member.name)
  const large = isZip64(member)
  const extra = Buffer.concat([...(large ? [zip64Extra([0, 0])] : []), timeExtra(member)])
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x0403_4b50, 0)
  writeCommon(header, 4, member, large)
  header.writeUInt32LE(large ? limit32 : 0, 18)
  header.writeUInt32LE(large ? limit32 : 0, 22)
  header.writeUInt16LE(name.length, 26)
  header.writeUInt16LE(extra.length, 28)
  return Buffer.concat([header, name, extra])
}

/** Stands behind a member's content; a folder has none. */
export function dataDescriptor(member: ZipMember): Buffer {
  const descriptor = Buffer.alloc(descriptorLength(member))
  if (descriptor.length === 0) return descriptor
  descriptor.writeUInt32LE(0x0807_4b50, 0)
  descriptor.writeUInt32LE(member.crc, 4)
  for (const index of [0, 1])
    if (isZip64(member)) descriptor.writeBigUInt64LE(BigInt(member.size), 8 + 8 * index)
    else descriptor.writeUInt32LE(member.size, 8 + 4 * index)
  return descriptor
}

function descriptorLength(member: ZipMember): number {
  if (isFolder(member)) return 0
  return isZip64(member) ? 24 : 16
}

/** One line of the directory at the end. */
export function centralHeader(member: ZipMember): Buffer {
  const name = Buffer.from(member.name)
  const far = member.offset >= limit32
  const large = isZip64(member)
  const numbers = [...(large ? [member.size, member.size] : []), ...(far ? [member.offset] : [])]
  const extra = Buffer.concat([...(numbers.length > 0 ? [zip64Extra(numbers)] : []), timeExtra(member)])
  const header = Buffer.alloc(46)
  header.writeUInt32LE(0x0201_4b50, 0)
  header.writeUInt16LE(madeByUnix, 4)
  writeCommon(header, 6, member, numbers.length > 0)
  header.writeUInt32LE(member.crc, 16)
  header.writeUInt32LE(large ? limit32 : member.size, 20)
  header.writeUInt32LE(large ? limit32 : member.size, 24)
  header.writeUInt16LE(name.length, 28)
  header.writeUInt16LE(extra.length, 30)
  // Above the mode's 16 bits, what DOS wants to know: whether it is a folder.
  header.writeUInt32LE(((member.mode << 16) | (isFolder(member) ? 0x10 : 0)) >>> 0, 38)
  header.writeUInt32LE(far ? limit32 : member.offset, 42)
  return Buffer.concat([header, name, extra])
}

/** What follows the directory: where it is. */
export function endOf(directory: { count: number; offset: number; length: number }): Buffer {
  const { count, offset, length } = directory
  const large = count >= limit16 || offset >= limit32 || length >= limit32
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x0605_4b50, 0)
  end.writeUInt16LE(large ? limit16 : count, 8)
  end.writeUInt16LE(large ? limit16 : count, 10)
  end.writeUInt32LE(large ? limit32 : length, 12)
  end.writeUInt32LE(large ? limit32 : offset, 16)
  return large ? Buffer.concat([zip64End(directory), end]) : end
}

function zip64End({ count, offset, length }: { count: number; offset: number; length: number }): Buffer {
  const record = Buffer.alloc(56 + 20)
  record.writeUInt32LE(0x0606_4b50, 0)
  record.writeBigUInt64LE(44n, 4)
  record.writeUInt16LE(madeByUnix, 12)
  record.writeUInt16LE(neededZip64, 14)
  for (const [index, number] of [count, count, length, offset].entries())
    record.writeBigUInt64LE(BigInt(number), 24 + 8 * index)
  record.writeUInt32LE(0x0706_4b50, 56)
  record.writeBigUInt64LE(BigInt(offset + length), 64)
  record.writeUInt32LE(1, 72)
  return record
}

/** Version, flags, method 0 and the time: ten bytes that both headers have. */
function writeCommon(header: Buffer, at: number, member: ZipMember, zip64: boolean): void {
  header.writeUInt16LE(zip64 ? neededZip64 : neededPlain, at)
  header.writeUInt16LE(utf8Flag | (isFolder(member) ? 0 : descriptorFlag), at + 2)
  header.writeUInt32LE(dosTime(member.modified), at + 6)
}

function zip64Extra(numbers: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * numbers.length)
  extra.writeUInt16LE(0x0001, 0)
  extra.writeUInt16LE(8 * numbers.length, 2)
  for (const [index, number] of numbers.entries()) extra.writeBigUInt64LE(BigInt(number), 4 + 8 * index)
  return extra
}

/** The time in UTC: DOS's own is local and even. */
function timeExtra({ modified }: ZipMember): Buffer {
  const extra = Buffer.alloc(9)
  extra.writeUInt16LE(0x5455, 0)
  extra.writeUInt16LE(5, 2)
  extra.writeUInt8(1, 4)
  extra.writeInt32LE(Math.min(Math.floor(modified / 1000), 0x7fff_ffff), 5)
  return extra
}

/** Date above time, from 1980 to 2107. */
function dosTime(ms: number): number {
  const earliest = Date.UTC(1980, 0, 1)
  const latest = Date.UTC(2107, 11, 31, 23, 59, 58)
  const at = new Date(Math.min(Math.max(ms, earliest), latest))
  const date = ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate()
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1)
  return ((date << 16) | time) >>> 0
}
