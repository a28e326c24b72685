import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'providers', group: 'system', order: 5, rights: ['manage-roles'], title: (words) => words.providers,
  Page: lazy(() => import('./Providers')),
}
