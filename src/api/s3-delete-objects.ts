/** Up to 1,000 keys deleted by one request. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { errorOf } from './errors.ts'
import { smallBody } from './s3-body.ts'
import { sendXml, type S3Call } from './s3-call.ts'
import { s3ErrorOf } from './s3-errors.ts'
import { removeKey } from './s3-objects.ts'
import { tag, type XmlPart } from './s3-xml.ts'
import { elementsOf, parseXml, splitName, textOf, type XmlElement } from './xml.ts'

export async function deleteObjects(call: S3Call): Promise<void> {
  const { keys, quiet } = wantedIn(parseXml(await smallBody(call, limits.s3XmlBytes)))
  const failed: XmlPart[] = []
  const deleted: XmlPart[] = []
  // Folders after what lies in them.
  for (const key of [...keys].sort().reverse()) {
    try {
      await removeKey(call, key)
      if (!quiet) deleted.push(tag('Deleted', tag('Key', key)))
    } catch (thrown) {
      const error = errorOf(thrown)
      const { code } = s3ErrorOf(error)
      failed.push(tag('Error', [tag('Key', key), tag('Code', code), tag('Message', error.message)]))
    }
  }
  sendXml(call, 'DeleteResult', [...deleted, ...failed])
}

function wantedIn(root: XmlElement): { keys: string[]; quiet: boolean } {
  const named = (element: XmlElement, name: string): XmlElement[] =>
    elementsOf(element).filter((child) => splitName(child.name).local === name)
  const keys = named(root, 'Object').map((object) => {
    const [key] = named(object, 'Key')
    if (key === undefined)
      throw fail('BAD_INPUT', { what: 'the XML of the body', reason: 'an Object has no Key' })
    return textOf(key)
  })
  if (keys.length === 0 || keys.length > limits.s3Deletes)
    throw fail('BAD_INPUT', {
      what: 'the XML of the body',
      reason: `it names no key or more than ${limits.s3Deletes}`,
    })
  return { keys, quiet: named(root, 'Quiet').some((element) => textOf(element).trim() === 'true') }
}
