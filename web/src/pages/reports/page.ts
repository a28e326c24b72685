import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'reports', group: 'records', order: 4, rights: ['view-reports'], title: (words) => words.reports, Page: lazy(() => import('./Reports')),
}
