/** Every route of the web face. Tests make the table of who may call what from this list. */
import { assetsRoutes } from './assets.ts'
import { batchRoutes } from './batch.ts'
import { davRoutes } from './dav.ts'
import { chunksRoutes } from './chunks.ts'
import { devicesRoutes } from './devices.ts'
import { docsRoutes } from './docs.ts'
import { doctorRoutes } from './doctor.ts'
import { entriesRoutes } from './entries.ts'
import { eventsRoutes } from './events.ts'
import { exportRoutes } from './export.ts'
import { filesRoutes } from './files.ts'
import { gcRoutes } from './gc.ts'
import { foldersRoutes } from './folders.ts'
import { metricsRoutes } from './metrics.ts'
import { lockRoutes } from './lock.ts'
import { passwordRoutes } from './password.ts'
import { poolRoutes } from './pool.ts'
import { quotaRoutes } from './quota.ts'
import { recoveryRoutes } from './recovery.ts'
import { restoreRoutes } from './restore.ts'
import { reportRoutes } from './report.ts'
import type { Route } from './route.ts'
import { scrubRoutes } from './scrub.ts'
import { searchRoutes } from './search.ts'
import { sessionsRoutes } from './sessions.ts'
import { settingsRoutes } from './settings.ts'
import { statusRoutes } from './status.ts'
import { thumbnailsRoutes } from './thumbnails.ts'
import { tokensRoutes } from './tokens.ts'
import { zipRoutes } from './zip.ts'
import { uploadsRoutes } from './uploads.ts'

/** The app's own files come last: they match what is left. */
export const routes: readonly Route[] = [
  ...filesRoutes,
  ...uploadsRoutes,
  ...davRoutes,
  ...chunksRoutes,
  ...batchRoutes,
  ...entriesRoutes,
  ...restoreRoutes,
  ...zipRoutes,
  ...searchRoutes,
  ...foldersRoutes,
  ...poolRoutes,
  ...devicesRoutes,
  ...recoveryRoutes,
  ...quotaRoutes,
  ...settingsRoutes,
  ...statusRoutes,
  ...doctorRoutes,
  ...reportRoutes,
  ...scrubRoutes,
  ...gcRoutes,
  ...thumbnailsRoutes,
  ...tokensRoutes,
  ...sessionsRoutes,
  ...passwordRoutes,
  ...lockRoutes,
  ...exportRoutes,
  ...eventsRoutes,
  ...metricsRoutes,
  ...docsRoutes(() => routes),
  ...assetsRoutes,
]
