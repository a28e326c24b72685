// How a conversation sounds, from getStats, in bars. Pure.
//
// The limits are for speech over 20 ms packets: concealment hides up to about 1 % loss, 5 % is heard; a jitter buffer
// of a browser follows 30 ms without effort; past 300 ms there and back people begin to talk over one another (ITU-T
// G.114 asks for 150 ms one way).

/** Counters since the beginning of the connection. */
export interface Counters { received: number; lost: number; at: number }

export interface Measure {
  /** Share of packets lost in the last span, 0 to 1; null: nothing was sent to us. */
  loss: number | null
  /** Share of ours the other side missed. */
  theirLoss: number | null
  /** ms */
  jitter: number | null
  /** ms, there and back */
  roundTrip: number | null
}

export type Grade = 'unknown' | 'good' | 'fair' | 'poor' | 'bad'
export type Cause = 'loss' | 'their-loss' | 'jitter' | 'round-trip'
export interface Quality { grade: Grade; bars: 0 | 1 | 2 | 3 | 4; causes: Cause[] }

const LIMITS: Record<Cause, { of: (m: Measure) => number | null; steps: [number, number, number] }> = {
  'loss': { of: (m) => m.loss, steps: [0.01, 0.05, 0.15] },
  'their-loss': { of: (m) => m.theirLoss, steps: [0.01, 0.05, 0.15] },
  'jitter': { of: (m) => m.jitter, steps: [30, 60, 120] },
  'round-trip': { of: (m) => m.roundTrip, steps: [300, 500, 800] },
}
const GRADES: { grade: Grade; bars: Quality['bars'] }[] = [
  { grade: 'good', bars: 4 }, { grade: 'fair', bars: 3 }, { grade: 'poor', bars: 2 }, { grade: 'bad', bars: 1 },
]

/** Unknown while nothing is heard: a round trip alone says nothing of the sound. */
export function quality(measure: Measure): Quality {
  if (measure.loss === null) return { grade: 'unknown', bars: 0, causes: [] }
  let worst = -1
  const levels = (Object.keys(LIMITS) as Cause[]).map((cause) => {
    const { of, steps } = LIMITS[cause]
    const value = of(measure)
    const level = value === null ? -1 : steps.filter((step) => value >= step).length
    worst = Math.max(worst, level)
    return { cause, level }
  })
  const { grade, bars } = GRADES[worst] ?? { grade: 'unknown' as const, bars: 0 as const }
  return { grade, bars, causes: levels.filter(({ level }) => level > 0 && level === worst).map(({ cause }) => cause) }
}

/** Loss between two readings; null when nothing came. A late duplicate lets `lost` fall: never below zero. */
export function lossBetween(before: Counters | null, after: Counters): number | null {
  const received = after.received - (before?.received ?? 0)
  const lost = Math.max(0, after.lost - (before?.lost ?? 0))
  return received + lost > 0 ? lost / (received + lost) : null
}

/** What one RTCStatsReport says. `values` are its entries. */
export function read(values: Iterable<Record<string, unknown>>, before: Counters | null, at: number): {
  counters: Counters; measure: Measure; relayed: boolean
} {
  const number = (value: unknown) => (typeof value === 'number' ? value : null)
  const all = [...values]
  const inbound = all.find((one) => one.type === 'inbound-rtp' && one.kind === 'audio')
  const remote = all.find((one) => one.type === 'remote-inbound-rtp' && one.kind === 'audio')
  const transport = all.find((one) => one.type === 'transport')
  const pair = all.find((one) => one.type === 'candidate-pair' && one.id === transport?.selectedCandidatePairId)
  const local = all.find((one) => one.type === 'local-candidate' && one.id === pair?.localCandidateId)
  const counters = {
    received: number(inbound?.packetsReceived) ?? 0, lost: number(inbound?.packetsLost) ?? 0, at,
  }
  const jitter = number(inbound?.jitter)
  const roundTrip = number(pair?.currentRoundTripTime) ?? number(remote?.roundTripTime)
  return {
    counters,
    measure: {
      loss: lossBetween(before, counters),
      theirLoss: number(remote?.fractionLost),
      jitter: jitter === null ? null : Math.round(jitter * 1000),
      roundTrip: roundTrip === null ? null : Math.round(roundTrip * 1000),
    },
    relayed: local?.candidateType === 'relay',
  }
}
