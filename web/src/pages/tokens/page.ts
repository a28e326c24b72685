import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'tokens', group: 'system', order: 6, rights: ['configure-system'], title: (words) => words.tokens,
  Page: lazy(() => import('./Tokens')),
}
