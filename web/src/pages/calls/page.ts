import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'all-calls', group: 'records', order: 1, rights: ['view-calls'], title: (words) => words.calls, Page: lazy(() => import('./Calls')),
}
