import { describe, expect, it } from 'vitest'

import { address, parsePlace } from './route'

describe('places', () => {
  it('has page, parts and query', () => {
    expect(parsePlace('#/queues/support?tab=hours&q=a%26b')).toEqual({ page: 'queues', parts: ['support'], query: { tab: 'hours', q: 'a&b' } })
    expect(parsePlace('')).toEqual({ page: '', parts: [], query: {} })
    expect(parsePlace('#/desk')).toEqual({ page: 'desk', parts: [], query: {} })
  })
  it('is read back as it was written, names with signs too', () => {
    const hash = address('prompts', ['sales/eu?~en~yes'], { q: 'ä b?&', from: '' })
    expect(parsePlace(hash)).toEqual({ page: 'prompts', parts: ['sales/eu?~en~yes'], query: { q: 'ä b?&' } })
  })
  it('takes bad encoding as it is', () => {
    expect(parsePlace('#/queues/%E0%A4').parts).toEqual(['%E0%A4'])
  })
})
