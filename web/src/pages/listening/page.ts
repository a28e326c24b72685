import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'listening-log', group: 'logs', order: 2, rights: ['view-listening-logs'], title: (words) => words.listening, Page: lazy(() => import('./Listening')),
}
