import { describe, expect, it } from 'vitest'

import { badData, dataOf } from './data'

describe('attached data', () => {
  it('is what has a key', () => {
    expect(dataOf([{ key: ' order ', value: ' 17 ' }, { key: '', value: '' }, { key: 'empty', value: '' }])).toEqual({ order: '17', empty: '' })
  })
  it('keeps the bounds of the server', () => {
    expect(badData([{ key: 'a', value: 'x'.repeat(1000) }])).toBe(false)
    expect(badData([{ key: 'a', value: 'x'.repeat(1001) }])).toBe(true)
    expect(badData([{ key: '', value: 'lost' }])).toBe(true)
    expect(badData([{ key: 'Miller', value: '' }])).toBe(true)
    expect(badData(Array.from({ length: 33 }, (_, n) => ({ key: `k${n}`, value: '' })))).toBe(true)
  })
})
