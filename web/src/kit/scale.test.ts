import { describe, expect, it } from 'vitest'

import { stacksOf, steps } from './scale'

describe('axes', () => {
  it('have round marks up to the greatest value', () => {
    expect(steps([3, 7])).toEqual([0, 2, 4, 6, 8])
    expect(steps([100])).toEqual([0, 50, 100])
    expect(steps([0.9])).toEqual([0, 0.5, 1])
    expect(steps([])).toEqual([0, 1])
  })
  it('know the height of a stack, gaps as nothing', () => {
    expect(stacksOf([[1, null], [2, 5, 1]])).toEqual([3, 5, 1])
  })
})
