import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'overview', group: 'live', order: 0, title: (words) => words.overview,
  rights: [
    'wallboard', 'monitor', 'view-reports', 'configure-queues', 'configure-recording', 'configure-prompts', 'configure-trunks', 'configure-agents',
    'configure-system',
  ],
  Page: lazy(() => import('./Overview')),
}
