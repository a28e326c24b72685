import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'tasks', group: 'people', order: 2, rights: ['dpo'], title: (words) => words.tasks, Page: lazy(() => import('./Tasks')),
}
