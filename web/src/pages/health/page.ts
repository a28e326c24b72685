import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'health', group: 'system', order: 9, rights: ['monitor', 'manage-vault'], title: (words) => words.health, Page: lazy(() => import('./Health')),
}
