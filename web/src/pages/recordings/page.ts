import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'recordings', group: 'records', order: 2, rights: ['listen-recordings'], title: (words) => words.recordings, Page: lazy(() => import('./Recordings')),
}
