import { describe, expect, it } from 'vitest'

import { gains, mark, saved, silences, skipTo } from './listen'

// Ten peaks a second: two seconds of speech, four of silence, two of the agent, then silence to the end.
const run = (n: number, value: number) => Array.from({ length: n }, () => value)
const wave = {
  seconds: 12,
  caller: [...run(20, 0.5), ...run(100, 0.001)],
  agent: [...run(60, 0), ...run(20, 0.4), ...run(40, 0.002)],
}

describe('silence', () => {
  it('is where neither side speaks for longer than a breath', () => {
    const spans = silences(wave)
    expect(spans.map(({ start, end }) => [Math.round(start * 10) / 10, Math.round(end * 10) / 10])).toEqual([[2, 6], [8, 12]])
    expect(silences({ ...wave, agent: run(120, 0.3) })).toEqual([])
    expect(silences({ seconds: 0, caller: [], agent: [] })).toEqual([])
  })
  it('is skipped but for a little at both ends', () => {
    const spans = silences(wave)
    expect(skipTo(1, spans, 12)).toBeNull()
    expect(skipTo(2.1, spans, 12)).toBeNull()
    expect(skipTo(2.5, spans, 12)).toBeCloseTo(5.6)
    // Where it lands it must not skip again.
    expect(skipTo(5.6, spans, 12)).toBeNull()
    expect(skipTo(8.5, spans, 12)).toBe(12)
    expect(saved(spans)).toBeCloseTo(6.4)
  })
})

describe('marks and balance', () => {
  it('marks stay on the waveform and can be seen', () => {
    expect(mark({ start: 3, end: 6 }, 12)).toEqual({ left: 25, width: 25 })
    expect(mark({ start: 11, end: 20 }, 12).width).toBeLessThan(9)
    expect(mark({ start: 1, end: 1 }, 3600).width).toBeGreaterThan(0)
    expect(mark({ start: 1, end: 2 }, 0)).toEqual({ left: 0, width: 0 })
  })
  it('gives each side its loudness', () => {
    const none = { caller: false, agent: false }
    expect(gains(0, none)).toEqual({ caller: 1, agent: 1 })
    expect(gains(-1, none)).toEqual({ caller: 1, agent: 0 })
    expect(gains(0.5, none)).toEqual({ caller: 0.5, agent: 1 })
    expect(gains(0, { caller: true, agent: false })).toEqual({ caller: 0, agent: 1 })
  })
})
