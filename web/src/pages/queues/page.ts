import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'queues', group: 'policy', order: 0, rights: ['configure-queues', 'configure-recording'], title: (words) => words.queues,
  Page: lazy(() => import('./Queues')),
}
