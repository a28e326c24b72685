import { describe, expect, it } from 'vitest'

import { directionOf, stepOf, STEPS, STORES, withDigest, withOutbound } from './trunk'

describe('trunks', () => {
  it('have no empty log-in', () => {
    expect(withDigest({}, { user: 'a' })).toEqual({ digest: { user: 'a' } })
    expect(withDigest({ digest: { user: 'a' } }, { user: '' })).toEqual({ digest: undefined })
    expect(withDigest({ digest: { user: 'a' } }, { password: 'p' })).toEqual({ digest: { user: 'a', password: 'p' } })
  })
  it('lose what is unset of calls out', () => {
    expect(withOutbound({ outbound: { server: 's', user: 'u' } }, { user: undefined })).toEqual({ outbound: { server: 's' } })
    expect(withOutbound({}, { register: true })).toEqual({ outbound: { server: '', register: true } })
  })
  it('know their direction', () => {
    expect(directionOf({ networks: ['192.0.2.1'] })).toBe('inbound')
    expect(directionOf({ outbound: { server: 's' } })).toBe('outboundShort')
    expect(directionOf({ digest: { user: 'u' }, outbound: { server: 's' } })).toBe('both')
  })
  it('are stored before they are tested and given numbers', () => {
    expect(STEPS.slice(STEPS.indexOf(STORES) + 1)).toEqual(['test', 'numbers'])
  })
  it('lead back to the step of a fault', () => {
    expect(stepOf('trunk.x.outbound.server')).toBe('outbound')
    expect(stepOf('trunk.x.codecs')).toBe('media')
    expect(stepOf('trunk.x.digest.user')).toBe('identity')
  })
})
