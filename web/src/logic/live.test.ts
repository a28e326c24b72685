import { describe, expect, test } from 'vitest'

import type { AgentView, CallView, PartyView } from '../api/types'
import { NOTHING, reduce, type Live, type LiveEvent } from './live'
import { abilities, cameBack, mine, supervised, type Mine } from './mine'

const party = (id: string, state: PartyView['state'], kind: PartyView['kind'] = 'agent'): PartyView =>
  ({ leg: 2, kind, id, name: id, state })
const call = (id: string, more: Partial<CallView> = {}): CallView => ({
  id, phase: 'talking', arrivedAt: '2026-01-01T10:00:00Z', queue: 'sales', firstQueue: 'sales', caller: null, waitingSince: null,
  connectedAt: null, parties: [], consent: { state: 'undecided', at: null },
  recording: { state: 'off', why: { kind: 'undecided' }, pausedAt: null, resumesAt: null, can: [] }, ...more,
})
const agent = (id: string, more: Partial<AgentView> = {}): AgentView => ({
  id, name: id, queues: [], state: 'talking', since: '2026-01-01T10:00:00Z', reason: null, until: null, call: null, ...more,
})
const fold = (...events: LiveEvent[]): Live => events.reduce(reduce, NOTHING)

describe('the event stream', () => {
  const snapshot = (calls: CallView[], agents: AgentView[] = []): LiveEvent => ({
    type: 'snapshot', received: Date.parse('2026-01-01T10:00:00Z'), snapshot: { now: '2026-01-01T10:00:05Z', calls, agents, queues: [] },
  })

  test('a snapshot forgets what was before it, and sets the clock', () => {
    const live = fold(snapshot([call('old')]), { type: 'lost' }, snapshot([call('new')]))
    expect([...live.calls.keys()]).toEqual(['new'])
    expect(live.link).toBe('live')
    expect(live.offset).toBe(5000)
  })

  test('changes come and go, and leave older values as they were', () => {
    const before = fold(snapshot([call('a')]))
    const after = reduce(reduce(before, { type: 'call', call: call('a', { phase: 'consulting' }) }), { type: 'gone', id: 'a' })
    expect(before.calls.get('a')?.phase).toBe('talking')
    expect(after.calls.size).toBe(0)
  })

  test('a lost stream keeps what was known', () => {
    const live = fold(snapshot([call('a')]), { type: 'lost' })
    expect(live.link).toBe('lost')
    expect(live.calls.size).toBe(1)
    expect(fold({ type: 'lost' }).link).toBe('connecting')
  })

  test('finds the call of the agent: the one its state names first', () => {
    const both = [call('other', { parties: [party('alice', 'consulted')] }), call('named', { parties: [party('alice', 'talking')] })]
    expect(mine(fold(snapshot(both, [agent('alice', { call: 'named' })])), 'alice')?.call.id).toBe('named')
    expect(mine(fold(snapshot(both)), 'alice')?.call.id).toBe('other')
    expect(mine(fold(snapshot(both)), 'bob')).toBeNull()
    expect(mine(fold(snapshot(both)), null)).toBeNull()
  })

  test('a supervisor in a call is not its agent', () => {
    const live = fold(snapshot([call('a', { parties: [party('sam', 'listening', 'supervisor')] })]))
    expect(mine(live, 'sam')).toBeNull()
    expect(supervised(live, 'sam')?.call.id).toBe('a')
  })
})

describe('back with the caller', () => {
  const at = (phase: CallView['phase'], ...others: PartyView[]): Mine => ({ call: call('a', { phase }), party: party('alice', 'talking'), others })
  test('because nobody was to be had, or because who was asked has left', () => {
    expect(cameBack(at('consulting', party('bob', 'ringing')), at('talking'))).toBe('unreached')
    expect(cameBack(at('consulting'), at('talking'))).toBe('unreached')
    expect(cameBack(at('transferring', party('bob', 'ringing')), at('talking'))).toBe('unreached')
    expect(cameBack(at('consulting', party('bob', 'consulted')), at('talking'))).toBe('left')
  })
  test('is nothing to tell where it did not happen', () => {
    expect(cameBack(at('talking'), at('talking'))).toBeNull()
    expect(cameBack(at('consulting'), at('conference'))).toBeNull()
    expect(cameBack(null, at('talking'))).toBeNull()
    expect(cameBack(at('consulting'), null)).toBeNull()
  })
})

describe('what the agent may do', () => {
  const of = (phase: CallView['phase'], me: PartyView['state'], ...others: PartyView[]) =>
    abilities({ call: call('a', { phase }), party: party('alice', me), others })

  test('in a conversation: transfer and consult, nothing to complete', () => {
    expect(of('talking', 'talking')).toMatchObject({ transfer: true, consult: true, complete: false, threeWay: false, back: false })
  })
  test('three-way only with somebody who has answered', () => {
    expect(of('consulting', 'talking', party('bob', 'ringing')).threeWay).toBe(false)
    expect(of('consulting', 'talking', party('bob', 'consulted')).threeWay).toBe(true)
    expect(of('consulting', 'talking', party('sam', 'talking', 'supervisor')).threeWay).toBe(false)
  })
  test('who is asked for advice may nothing', () => {
    expect(Object.values(of('consulting', 'consulted', party('bob', 'talking')))).not.toContain(true)
  })
})
