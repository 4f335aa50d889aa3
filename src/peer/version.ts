/** Version of this program, as its package names it. */
import own from '../../package.json' with { type: 'json' }

export const programVersion: string = own.version
