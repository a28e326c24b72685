import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'trunks', group: 'system', order: 1, rights: ['configure-trunks'], title: (words) => words.trunks,
  Page: lazy(() => import('./Trunks')),
}
