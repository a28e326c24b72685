import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'numbers', group: 'system', order: 0, rights: ['configure-trunks'], title: (words) => words.numbers,
  Page: lazy(() => import('./Numbers')),
}
