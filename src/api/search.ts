/** `/api/v1/search` and `/api/v1/categories`: files of all folders by words and facts. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import { categories, type Files, searchOrders } from '../peer/peer.ts'
import { parseDuration, parseSize } from '../peer/settings.ts'
import { queryOf } from './body.ts'
import { filePath, pageQuery } from './inputs.ts'
import type { Call, Route } from './route.ts'

export const searchRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/search', scope: 'read', checksPaths: true, handle: search },
  { method: 'GET', path: '/api/v1/categories', scope: 'read', checksPaths: true, handle: totals },
]

const size = z
  .string()
  .max(32)
  .transform((text, context) => parseSize(text) ?? refuse(context, 'must be a size such as 5MB'))
  .optional()

/** Undefined for what is neither a time nor a duration. */
function parseTime(text: string, now: number): number | undefined {
  const ago = parseDuration(text)
  if (ago !== undefined) return now - ago
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

function refuse(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

const tagList = z
  .string()
  .max(limits.tags * (limits.tagBytes + 1))
  .transform((text) =>
    text
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean),
  )
  .optional()

export const searchQuery = (now: number) => {
  const time = z
    .string()
    .max(64)
    .transform(
      (text, context) => parseTime(text, now) ?? refuse(context, 'must be a time or a duration such as 7d'),
    )
    .optional()
  return z.strictObject({
    words: z.string().max(limits.nameBytes).optional(),
    tag: tagList,
    type: z.string().max(limits.typeBytes).optional(),
    category: z.enum(categories).optional(),
    folder: filePath.optional(),
    larger: size,
    smaller: size,
    newer: time,
    older: time,
    sort: z.enum(searchOrders).optional(),
    ...pageQuery,
  })
}

/** The verbs of the asker: they leave out what a confined token may not read. */
const filesOf = ({ peer, subject }: Call): Files =>
  subject === undefined ? peer.files : peer.filesFor(subject)

function search(call: Call): unknown {
  const { tag, ...query } = queryOf(call, searchQuery(call.face.clock.now()))
  return filesOf(call).find({ ...query, tags: tag, signal: call.signal })
}

export const totalsQuery = z.strictObject({ folder: filePath.optional() })

function totals(call: Call): unknown {
  return filesOf(call).categories(queryOf(call, totalsQuery).folder)
}
