import { expect, it } from 'vitest'

import { onIncoming } from './incoming'

const back = { purpose: 'reattach', call: 'A' } as const

it('takes back the call it had, and no other', () => {
  expect(onIncoming(back, 'A', null)).toBe('answer')
  expect(onIncoming(back, 'B', null)).toBe('ring')
  expect(onIncoming(back, null, null)).toBe('ring')
  expect(onIncoming({ purpose: 'reattach', call: null }, null, null)).toBe('ring')
})

it('replaces the old line of the same call, and ends no other', () => {
  expect(onIncoming(back, null, { call: 'A' })).toBe('answer')
  expect(onIncoming(back, 'A', { call: 'B' })).toBe('busy')
  expect(onIncoming({ purpose: 'offer', call: 'A' }, 'A', { call: 'A' })).toBe('busy')
})

it('does not come back to a call that was hung up just now', () => {
  expect(onIncoming(back, 'A', null, 'A')).toBe('decline')
  expect(onIncoming(back, 'A', null, 'B')).toBe('answer')
  expect(onIncoming({ purpose: 'offer', call: 'A' }, 'A', null, 'A')).toBe('ring')
})

it('rings for the rest, but for a supervisor who asked for it', () => {
  expect(onIncoming({ purpose: 'offer', call: 'A' }, 'A', null)).toBe('ring')
  expect(onIncoming({ purpose: 'supervise', call: 'A' }, null, null)).toBe('answer')
  expect(onIncoming({ purpose: 'supervise', call: 'A' }, null, { call: 'B' })).toBe('busy')
})
