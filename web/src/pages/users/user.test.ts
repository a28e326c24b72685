import { describe, expect, it } from 'vitest'

import type { UserDocument } from '../../api/admin'
import { mustChange, withPassword } from './user'

describe('must-change', () => {
  const stored: UserDocument = { role: 'agent', 'must-change': false }
  const typed = (draft: UserDocument, text: string, of: UserDocument | null = stored) => {
    const next = { ...draft, ...withPassword(draft, of ?? undefined, text) }
    return JSON.parse(JSON.stringify(next)) as UserDocument
  }
  it('is left out for a new user, who has to change the password', () => {
    const draft: UserDocument = { role: 'agent' }
    expect(mustChange(draft, true)).toBe(true)
    expect(typed(draft, 'first', null)).toEqual({ role: 'agent', password: 'first' })
    expect(typed({ ...draft, 'must-change': false }, 'first', null)).toEqual({ role: 'agent', password: 'first', 'must-change': false })
  })
  it('as it was read does not go with a new password', () => {
    expect(mustChange(stored, false)).toBe(false)
    const next = typed(stored, 'n')
    expect(next).toEqual({ role: 'agent', password: 'n' })
    expect(mustChange(next, false)).toBe(true)
    expect(typed(next, '')).toEqual(stored)
  })
  it('stays as somebody chose it', () => {
    const spared: UserDocument = { ...typed(stored, 'n'), 'must-change': false }
    expect(typed(spared, 'ne')).toEqual({ ...spared, password: 'ne' })
    const demanded: UserDocument = { role: 'agent', 'must-change': true }
    expect(typed(demanded, 'n')).toEqual({ ...demanded, password: 'n' })
    expect(typed({ ...demanded, password: 'n' }, '')).toEqual(demanded)
  })
})
