import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'retention', group: 'policy', order: 3, rights: ['configure-recording'], title: (words) => words.retention, Page: lazy(() => import('./Retention')),
}
