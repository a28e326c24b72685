// Requests of `later/admin.ts`; they go to `api/admin-client.ts` with it.
import { request } from '../api/client'

import type { Ladder, TrunkTest } from './admin'

const part = encodeURIComponent

export const later = {
  testTrunk: (name: string) => request<TrunkTest>('POST', `/trunks/${part(name)}/test`),
  ladder: (id: string) => request<Ladder>('GET', `/calls/${part(id)}/ladder`),
}
