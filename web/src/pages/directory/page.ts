import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'directory', group: 'people', order: 3, rights: ['dpo'], title: (words) => words.directory, Page: lazy(() => import('./Directory')),
}
