import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'users', group: 'system', order: 3, rights: ['manage-users'], title: (words) => words.users,
  Page: lazy(() => import('./Users')),
}
