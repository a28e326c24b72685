import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'webhooks', group: 'system', order: 7, rights: ['configure-system'], title: (words) => words.webhooks,
  Page: lazy(() => import('./Webhooks')),
}
