import { expect, test } from 'vitest'

import type { Right, Session } from '../api/types'

import { homeOf } from './registry'

const session = (...rights: Right[]) => ({ rights } as unknown as Session)

test('who administers begins with the overview, and who has people\'s data alone with what was asked about it', () => {
  expect(homeOf(session('dpo'))?.route).toBe('tasks')
  expect(homeOf(session('dpo', 'wallboard'))?.route).toBe('overview')
  expect(homeOf(session('view-reports'))?.route).toBe('overview')
  expect(homeOf(session('view-consents'))?.route).toBe('consents')
})
