import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'prompts', group: 'policy', order: 1, rights: ['configure-prompts'], title: (words) => words.prompts,
  Page: lazy(() => import('./Prompts')),
}
