import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'holds', group: 'policy', order: 4, rights: ['manage-holds'], title: (words) => words.holds, Page: lazy(() => import('./HoldsPage')),
}
