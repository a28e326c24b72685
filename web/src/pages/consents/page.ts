import { lazy } from 'react'

import type { PageEntry } from '../registry'

export const page: PageEntry = {
  route: 'consents', group: 'records', order: 3, rights: ['view-consents', 'view-reports', 'customer-consent'], title: (words) => words.consents, Page: lazy(() => import('./Consents')),
}
