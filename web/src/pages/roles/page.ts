import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'roles', group: 'system', order: 4, rights: ['manage-roles', 'manage-users'], title: (words) => words.roles,
  Page: lazy(() => import('./Roles')),
}
