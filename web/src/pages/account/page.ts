import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'account', group: 'own', order: 0, rights: [], title: (words) => words.account,
  Page: lazy(() => import('./Account')),
}
