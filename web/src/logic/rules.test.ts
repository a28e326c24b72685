import { describe, expect, it } from 'vitest'

import { queueWith, rulesOf, simulationOf, sooner, systemWith, type Rules } from './rules'

const before: Rules = {
  system: { calls: '365d', recordings: '90d', reporting: '1825d' },
  queues: { sales: { calls: '', recordings: '30d' }, support: { calls: '', recordings: '' } },
}
const change = (system: Partial<Rules['system']>, queues: Partial<Rules['queues']> = {}): Rules =>
  ({ system: { ...before.system, ...system }, queues: { ...before.queues, ...(queues as Rules['queues']) } })

describe('changed rules', () => {
  it('are simulated only where they differ', () => {
    expect(simulationOf(before, before)).toBeNull()
    expect(simulationOf(before, change({ recordings: '60d' }))).toEqual({ system: { recordings: '60d' } })
    expect(simulationOf(before, change({}, { sales: { calls: '10d', recordings: '' } })))
      .toEqual({ queues: { sales: { retention: '10d', 'file-removal': null } } })
  })
  it('go into the documents and leave the rest of them alone', () => {
    expect(queueWith({ recording: 'consent', retention: '5d', 'file-removal': '3d' }, { retention: null }))
      .toEqual({ recording: 'consent', 'file-removal': '3d' })
    expect(systemWith({ 'time-zone': 'UTC', 'retention-calls': '1d' }, { calls: '2d', reporting: '3d' }))
      .toEqual({ 'time-zone': 'UTC', 'retention-calls': '2d', 'retention-reporting': '3d' })
  })
  it('come from the view and the queues that have rules of their own', () => {
    const view = {
      rules: [{ queue: null, calls: '365d', recordings: '90d', from: 'system' as const, sentence: '' }],
      reporting: '1825d', lagSeconds: 0, lastRun: null, removedToday: 0, due: 0, held: 0, timeline: [],
    }
    expect(rulesOf(view, [{ name: 'sales', document: { 'file-removal': '30d' } }, { name: 'support', document: {} }])).toEqual(before)
  })
  it('say whether anything goes sooner', () => {
    expect(sooner(before, before)).toBe(false)
    expect(sooner(before, change({ recordings: 'forever' }))).toBe(false)
    expect(sooner(before, change({ recordings: '89d' }))).toBe(true)
    // Sales has a rule of its own: back to the system's 90 days is later, a support of 10 days is sooner.
    expect(sooner(before, change({}, { sales: { calls: '', recordings: '' } }))).toBe(false)
    expect(sooner(before, change({}, { support: { calls: '', recordings: '10d' } }))).toBe(true)
  })
})
