import { describe, expect, it } from 'vitest'

import { draw, kindOf } from './ladder'

const message = (seconds: number, from: string, to: string, what: string) =>
  ({ at: new Date(1_700_000_000_000 + seconds * 1000).toISOString(), from, to, what, cseq: '1 INVITE', body: null, leg: 0 })

describe('the ladder', () => {
  it('puts lifelines side by side and messages one below the other', () => {
    const { lines, rungs, rests } = draw({
      lines: ['trunk a', 'sayso', 'agent bob'],
      messages: [message(0, 'trunk a', 'sayso', 'INVITE'), message(0.02, 'sayso', 'trunk a', '200 OK'), message(0.5, 'sayso', 'agent bob', 'INVITE')],
    })
    expect(lines.map(({ name }) => name)).toEqual(['trunk a', 'sayso', 'agent bob'])
    const x = lines.map((line) => line.x)
    expect(x).toEqual([...x].sort((a, b) => a - b))
    expect(rungs.map(({ x1, x2 }) => Math.sign(x2 - x1))).toEqual([1, -1, 1])
    expect(rungs[1]!.y).toBeGreaterThan(rungs[0]!.y)
    expect(rungs[2]!.after).toBe(500)
    expect(rests).toEqual([])
  })
  it('draws a long silence as a break that pushes the rest down', () => {
    const { rungs, rests, height } = draw({ lines: ['a', 'b'], messages: [message(0, 'a', 'b', 'ACK'), message(65, 'b', 'a', 'BYE')] })
    expect(rests.map(({ seconds }) => seconds)).toEqual([65])
    expect(rests[0]!.y).toBeGreaterThan(rungs[0]!.y)
    expect(rests[0]!.y).toBeLessThan(rungs[1]!.y)
    expect(height).toBeGreaterThan(rungs[1]!.y)
  })
  it('gives a lifeline to a name that no line was announced for', () => {
    expect(draw({ lines: ['a'], messages: [message(0, 'a', 'b', 'INVITE')] }).lines.map(({ name }) => name)).toEqual(['a', 'b'])
  })
  it('is empty without messages', () => {
    expect(draw({ lines: ['a'], messages: [] }).rungs).toEqual([])
  })
  it('knows what a status means', () => {
    expect(['INVITE', '100 Trying', '200 OK', '486 Busy Here'].map(kindOf)).toEqual(['request', 'provisional', 'success', 'failure'])
  })
})
