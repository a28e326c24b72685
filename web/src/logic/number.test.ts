import { describe, expect, it } from 'vitest'

import { daysBack } from './days'
import { digitsOf, wholeNumber } from './number'

describe('numbers', () => {
  it('are whole with a country code, however they are written', () => {
    expect(wholeNumber('+358 (40) 123-4567')).toBe('+358401234567')
    expect(wholeNumber('00358401234567')).toBe('+358401234567')
    expect(wholeNumber('0401234567')).toBeNull()
    expect(wholeNumber('+3584')).toBeNull()
    expect(wholeNumber('+1234567890123456')).toBeNull()
    expect(digitsOf('12-34 5')).toBe(5)
  })
})

describe('days', () => {
  it('go back over the months', () => {
    expect(daysBack(new Date(2026, 2, 1, 0, 30), 1)).toBe('2026-02-28')
    expect(daysBack(new Date(2026, 0, 5), 0)).toBe('2026-01-05')
  })
})
