import { describe, expect, it } from 'vitest'

import type { Found } from '../api/admin'

import { callsOf, everything, isEmpty, selectionOf, toggled, toggledAll } from './selection'

const found = {
  calls: { total: 2, items: [{ id: 'c1' }, { id: 'c2' }] },
  consents: { total: 1, items: [{ call: 'c3' }] },
  recordings: { total: 1, items: [{ id: 'r1', call: 'c1', state: 'stored', at: '' }] },
  entries: { total: 1, items: [{ id: 'e1' }] },
  tooMany: false, tookMs: 3,
} as unknown as Found

describe('the selection', () => {
  it('begins with all that was found, each call once', () => {
    expect(callsOf(found)).toEqual(['c1', 'c2', 'c3'])
    expect(selectionOf(everything(found))).toEqual({ calls: ['c1', 'c2', 'c3'], entries: ['e1'], consents: true })
  })
  it('is changed by one or by all without touching what it was', () => {
    const picked = new Set(['c1'])
    expect([...toggled(picked, 'c1')]).toEqual([])
    expect([...toggledAll(picked, ['c1', 'c2'])]).toEqual(['c1', 'c2'])
    expect([...toggledAll(new Set(['c1', 'c2', 'x']), ['c1', 'c2'])]).toEqual(['x'])
    expect([...picked]).toEqual(['c1'])
    expect(isEmpty({ calls: new Set(), entries: new Set(), consents: true })).toBe(true)
  })
})
