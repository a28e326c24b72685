import { describe, expect, it } from 'vitest'

import { readAsk, withConsent, withRecording, writeAsk } from './policy'

describe('a queue’s recording rules', () => {
  it('lose what another way to record does not know', () => {
    const draft = { recording: 'consent' as const, consent: { yes: '1' } }
    expect(withRecording(draft, 'always')).toEqual({ recording: 'always', consent: undefined, 'legal-basis': { obligation: '' } })
    expect(withRecording({ recording: 'always', 'legal-basis': { contract: 'x' } }, 'never')).toEqual({ recording: 'never', consent: undefined, 'legal-basis': undefined })
    expect(withRecording({ 'legal-basis': { contract: 'x' } }, 'always')['legal-basis']).toEqual({ contract: 'x' })
  })
  it('say when callers are asked', () => {
    for (const text of ['every-call', 'when-unknown', 'older-than 30d']) expect(writeAsk(readAsk(text))).toBe(text)
    expect(readAsk(undefined).ask).toBe('every-call')
  })
  it('have no empty question', () => {
    expect(withConsent({ consent: { yes: '1' } }, { yes: undefined })).toEqual({ consent: undefined })
    expect(withConsent({ consent: { yes: '1' } }, { no: '3' })).toEqual({ consent: { yes: '1', no: '3' } })
  })
})
