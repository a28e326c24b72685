import { describe, expect, test } from 'vitest'

import type { CallView, RecordingView, Why } from '../api/types'
import { de } from '../texts/de'
import { en } from '../texts/en'
import { fi } from '../texts/fi'
import { lamp, whyWords } from './lamp'

const AT = '2026-03-03T14:02:00Z'
const naming = { me: 'alice', agent: (id: string) => (id === 'bob' ? 'Bob Lindqvist' : id) }
const time = en.format.time(AT)

const view = (state: RecordingView['state'], why: Why, phase: CallView['phase'] = 'talking', pausedAt: string | null = null) =>
  lamp({ phase, recording: { state, why, pausedAt, resumesAt: null, can: [] } }, en, naming)

describe('the lamp', () => {
  test('says why in words', () => {
    const words = (why: Why) => whyWords(why, en, naming)
    expect(words({ kind: 'agreed', at: AT })).toBe(`caller agreed ${time}`)
    expect(words({ kind: 'refused', answer: 'no', at: AT })).toBe(`caller refused ${time}`)
    expect(words({ kind: 'refused', answer: 'silence', at: AT })).toContain('that means no')
    expect(words({ kind: 'legal', basis: 'obligation', detail: 'MiFID II' })).toBe('legal obligation: MiFID II')
    expect(words({ kind: 'legal', basis: 'contract', detail: 'C-7' })).toBe('contract: C-7')
    expect(words({ kind: 'override', by: 'alice', category: 'emergency', at: AT })).toBe(`override by you: emergency, ${time}`)
    expect(words({ kind: 'override', by: 'bob', category: 'legal', at: AT })).toBe(`override by Bob Lindqvist: legal, ${time}`)
  })

  test('begins with the words that tests and people look for', () => {
    const agreed: Why = { kind: 'agreed', at: AT }
    expect(view('recording', agreed)).toMatchObject({ shape: 'on', headline: 'Recording' })
    expect(view('paused', agreed, 'talking', AT).headline).toBe('Recording paused')
    expect(view('off', { kind: 'refused', answer: 'no', at: AT }).headline).toBe('Not recording')
  })

  test('tells a pause by a press from one by hold', () => {
    const agreed: Why = { kind: 'agreed', at: AT }
    expect(view('paused', agreed, 'talking', AT).headline).not.toBe(view('paused', agreed).headline)
  })

  test('is "not yet" only where it is allowed and nobody talks', () => {
    expect(view('off', { kind: 'agreed', at: AT }, 'waiting').headline).toBe('Not recording yet')
    expect(view('off', { kind: 'agreed', at: AT }, 'consulting').headline).toBe('Not recording: consultation')
    expect(view('off', { kind: 'never' }, 'waiting').headline).toBe('Not recording')
  })

  test('a failed recorder looks unlike a refusal', () => {
    expect(view('failed', { kind: 'agreed', at: AT }).shape).toBe('fault')
  })
})

test('no language leaves a text empty', () => {
  const empty = (value: unknown, path: string): string[] => {
    if (typeof value === 'string') return value.trim() ? [] : [path]
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([key, inner]) => empty(inner, `${path}.${key}`))
  }
  for (const [name, texts] of Object.entries({ en, de, fi })) expect(empty(texts, name)).toEqual([])
})
