import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'system', group: 'system', order: 8, rights: ['configure-system', 'configure-recording'], title: (words) => words.system,
  Page: lazy(() => import('./System')),
}
