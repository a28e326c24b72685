import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'privacy', group: 'people', order: 1, rights: ['dpo'], title: (words) => words.privacy, Page: lazy(() => import('./Privacy')),
}
