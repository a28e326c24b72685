import { describe, expect, it } from 'vitest'

import { glance } from './directory'

describe('a directory file', () => {
  it('names its columns in the first line', () => {
    expect(glance('\uFEFFList,"name",number,email,note\r\nvip,Ann,+358401234567,,\r\n\r\n')).toEqual({ missing: [], lines: 1 })
    expect(glance('number,email\n1,2').missing).toEqual(['list', 'name'])
    expect(glance('')).toEqual({ missing: ['list', 'name'], lines: 0 })
  })
})
