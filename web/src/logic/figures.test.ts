import { describe, expect, test } from 'vitest'

import { lossBetween, quality, read } from './quality'
import { asNumber, matches } from './target'
import { clock, since, until } from './time'
import { level, meter, ringtone, toneShare } from './tone'

describe('times', () => {
  test('read as people do', () => {
    expect([0, 42, 725, 3723, -5].map(clock)).toEqual(['0:00', '0:42', '12:05', '1:02:03', '0:00'])
  })
  test('a countdown ends at its moment, not a second before', () => {
    const end = '2026-01-01T00:00:10Z'
    expect(until(end, Date.parse('2026-01-01T00:00:09.200Z'))).toBe(1)
    expect(until(end, Date.parse(end))).toBe(0)
    expect(since(end, Date.parse('2026-01-01T00:00:09Z'))).toBe(0)
  })
})

describe('line quality', () => {
  const fine = { loss: 0, theirLoss: 0, jitter: 5, roundTrip: 40 }
  test('the worst figure decides, and is named', () => {
    expect(quality(fine)).toEqual({ grade: 'good', bars: 4, causes: [] })
    expect(quality({ ...fine, loss: 0.06 })).toEqual({ grade: 'poor', bars: 2, causes: ['loss'] })
    expect(quality({ ...fine, jitter: 40, roundTrip: 900 })).toEqual({ grade: 'bad', bars: 1, causes: ['round-trip'] })
  })
  test('nothing measured is not good', () => {
    expect(quality({ loss: null, theirLoss: null, jitter: null, roundTrip: null }).grade).toBe('unknown')
    expect(quality({ ...fine, loss: null }).grade).toBe('unknown')
  })
  test('loss is that of the last span', () => {
    expect(lossBetween({ received: 1000, lost: 500, at: 0 }, { received: 1090, lost: 510, at: 2 })).toBeCloseTo(0.1)
    expect(lossBetween({ received: 10, lost: 5, at: 0 }, { received: 20, lost: 4, at: 2 })).toBe(0)
    expect(lossBetween({ received: 10, lost: 5, at: 0 }, { received: 10, lost: 5, at: 2 })).toBeNull()
  })
  test('reads a report', () => {
    const { measure, relayed } = read([
      { type: 'inbound-rtp', kind: 'audio', packetsReceived: 95, packetsLost: 5, jitter: 0.012 },
      { type: 'remote-inbound-rtp', kind: 'audio', fractionLost: 0.02, roundTripTime: 0.9 },
      { type: 'transport', selectedCandidatePairId: 'p' },
      { type: 'candidate-pair', id: 'p', currentRoundTripTime: 0.035, localCandidateId: 'l' },
      { type: 'local-candidate', id: 'l', candidateType: 'relay' },
    ], null, 0)
    expect(measure).toEqual({ loss: 0.05, theirLoss: 0.02, jitter: 12, roundTrip: 35 })
    expect(relayed).toBe(true)
  })
})

describe('sound', () => {
  const rate = 48000
  const sine = (hz: number) => Float32Array.from({ length: 2048 }, (_, i) => 0.3 * Math.sin((2 * Math.PI * hz * i) / rate))
  test('the tone is found, another is not', () => {
    expect(toneShare(sine(1000), rate, 1000)).toBeGreaterThan(0.9)
    expect(toneShare(sine(400), rate, 1000)).toBeLessThan(0.1)
    expect(toneShare(new Float32Array(2048), rate, 1000)).toBe(0)
  })
  test('levels', () => {
    expect(level([])).toBe(0)
    expect(level([0.5, -0.5])).toBe(0.5)
    expect([0, 0.001, 1].map(meter)).toEqual([0, 0, 1])
    expect(meter(0.0316)).toBeCloseTo(0.5, 2)
  })
  test('the ringtone is a WAV file that rings', () => {
    const file = ringtone()
    const view = new DataView(file.buffer)
    expect(new TextDecoder().decode(file.slice(0, 4))).toBe('RIFF')
    expect(view.getUint32(4, true)).toBe(file.length - 8)
    expect(view.getUint32(40, true)).toBe(file.length - 44)
    const samples = Array.from(new Int16Array(file.buffer, 44))
    expect(Math.max(...samples)).toBeGreaterThan(8000)
    expect(Math.max(...samples)).toBeLessThan(32768)
    expect(samples.at(-1)).toBe(0)
  })
})

describe('targets', () => {
  test('numbers as people write them', () => {
    expect(asNumber('+358 (0)9 123-4567')).toBe('+358091234567')
    expect(asNumber('112')).toBe('112')
    expect([asNumber('bob'), asNumber('4'), asNumber(''), asNumber('+')]).toEqual([null, null, null, null])
  })
  test('every word typed begins a word of the name', () => {
    expect(matches('lind b', 'Bob Lindqvist')).toBe(true)
    expect(matches('mül', 'Jana Müller')).toBe(true)
    expect(matches('mul', 'Jana Müller')).toBe(true)
    expect(matches('qvist', 'Bob Lindqvist')).toBe(false)
    expect(matches('', 'anybody')).toBe(true)
  })
})
