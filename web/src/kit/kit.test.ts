import { describe, expect, it } from 'vitest'

import { en } from '../texts/admin/kit/en'
import { differences, merged, same, shown, suggested } from './differences'
import { asked, csvOf, dayAsMoment, setOf, sorted, type Filter } from './filters'
import { parseSpan, spanWords, splitSpan } from './span'

describe('spans', () => {
  it('are read as the server reads them', () => {
    expect(parseSpan('20s')).toBe(20_000)
    expect(parseSpan('1h30m')).toBe(5_400_000)
    expect(parseSpan('90d')).toBe(7_776_000_000)
    for (const bad of ['', '20', 's', '-1s', '1.5s', '30m1h', '1s1s', '20 s', '1w', '99999999999999999999s']) expect(parseSpan(bad), bad).toBeNull()
  })
  it('are shown in one unit, without fractions', () => {
    expect(splitSpan('1h30m')).toEqual({ amount: 90, unit: 'm' })
    expect(splitSpan('720h')).toEqual({ amount: 30, unit: 'd' })
    expect(splitSpan('0s')).toEqual({ amount: 0, unit: 's' })
    expect(splitSpan('forever')).toBeNull()
  })
  it('are said in words', () => {
    expect(spanWords(en.units, '90d')).toBe('90 days')
    expect(spanWords(en.units, '1h30m')).toBe('1 hour 30 minutes')
    expect(spanWords(en.units, '0s')).toBe('0 seconds')
    expect(spanWords(en.units, 'forever')).toBe('forever')
  })
})

describe('a conflict', () => {
  it('never shows what was typed as a password or a secret', () => {
    const documents = [{ password: 'correct horse' }, { 'client-secret': 'correct horse' }, { digest: { user: 'a', password: 'correct horse' } },
      { outbound: { login: [{ user: 'a', secret: 'correct horse' }] } }]
    for (const mine of documents) {
      const rows = differences({}, mine, { user: 'b' }).map(({ key, mine }) => shown(mine, key))
      expect(rows.join(), JSON.stringify(mine)).toContain('••••••••')
      expect(rows.join(), JSON.stringify(mine)).not.toContain('horse')
    }
    expect(shown('1d', 'password-expires')).toBe('1d')
    expect(shown(['a', 'b'], 'scopes')).toBe('a, b')
    expect(shown(undefined, 'password')).toBe('')
  })
})

const filters: Filter[] = [
  { kind: 'text', name: 'q', label: 'Search' },
  { kind: 'choice', name: 'queue', label: 'Queue', options: [] },
  { kind: 'day', name: 'until', label: 'To', end: true },
]
describe('filters', () => {
  it('are sent when they are set', () => {
    const until = new Date(2026, 10, 23).toISOString()
    expect(asked(filters, { q: ' a b ', queue: '', until: '2026-11-22', other: 'x' }, { sort: 'oldest', after: null }))
      .toBe(`?q=a+b&until=${encodeURIComponent(until)}&sort=oldest`)
    expect(asked(filters, {})).toBe('')
    expect(setOf(filters, { q: 'a', other: 'x' })).toBe(1)
  })
  it('know what is no day', () => {
    expect(dayAsMoment('2026-02-30', false)).toBeNull()
    expect(dayAsMoment('yesterday', false)).toBeNull()
    expect(asked(filters, { until: '2026-13-01' })).toBe('')
  })
  it('makes CSV that a spreadsheet does not compute', () => {
    expect(csvOf([['=1+1', 'a "b", c', -5, null]])).toBe('\'=1+1,"a ""b"", c",-5,\r\n')
  })
  it('orders numbers in texts by size, nothing last either way', () => {
    const order = (descending: boolean) => sorted(['q10', null, 'q9'], (row) => row, descending)
    expect(order(false)).toEqual(['q9', 'q10', null])
    expect(order(true)).toEqual(['q10', 'q9', null])
  })
})

describe('two versions', () => {
  const before = { a: 1, b: ['x'], c: { p: 1, q: 2 } }
  const mine = { a: 2, b: ['x'], c: { q: 2, p: 1 } }
  const theirs = { a: 3, b: ['x', 'y'], c: { p: 1, q: 2 } }
  it('differ where they differ', () => {
    expect(differences(before, mine, theirs).map(({ key }) => key)).toEqual(['a', 'b'])
    expect(same(mine.c, theirs.c)).toBe(true)
    expect(same({ a: undefined }, {})).toBe(true)
  })
  it('become one: mine where I changed it, theirs where only they did', () => {
    const picks = Object.fromEntries(differences(before, mine, theirs).map((one) => [one.key, suggested(one)]))
    expect(picks).toEqual({ a: 'mine', b: 'theirs' })
    expect(merged(mine, theirs, picks)).toEqual({ a: 2, b: ['x', 'y'], c: { p: 1, q: 2 } })
  })
  it('can unset', () => {
    expect(merged<{ a?: number; b: number }>({ b: 1 }, { a: 1, b: 1 }, { a: 'mine' })).toEqual({ b: 1 })
  })
})
