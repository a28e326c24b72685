import { describe, expect, it } from 'vitest'

import { readPairs, writePairs } from './pairs'

describe('groups and roles', () => {
  it('are read back as they were written', () => {
    const pairs = [{ group: 'call-agents', role: 'agent' }, { group: 'cn=admins', role: '' }]
    expect(writePairs(pairs)).toEqual(['call-agents = agent', 'cn=admins = '])
    expect(readPairs(['call-agents = agent', 'x=superuser'])).toEqual([{ group: 'call-agents', role: 'agent' }, { group: 'x', role: 'superuser' }])
  })
  it('are unset where there are none', () => {
    expect(writePairs([])).toBeUndefined()
    expect(readPairs(undefined)).toEqual([])
    expect(readPairs(['no role'])).toEqual([{ group: 'no role', role: '' }])
  })
})
