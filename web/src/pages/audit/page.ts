import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'audit', group: 'logs', order: 1, rights: ['view-audit-log'], title: (words) => words.audit, Page: lazy(() => import('./Audit')),
}
