import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'agents', group: 'policy', order: 5, rights: ['configure-agents'], title: (words) => words.agents,
  Page: lazy(() => import('./Agents')),
}
