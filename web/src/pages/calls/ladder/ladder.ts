// A call's SIP messages as a ladder: lifelines side by side, time downwards. Pure: places in a drawing, no drawing.
import type { Ladder } from '../../../api/admin'

export interface Rung {
  n: number
  y: number
  /** Where the arrow begins and ends; the same for what a line says to itself. */
  x1: number
  x2: number
  what: string
  cseq: string
  at: string
  from: string
  to: string
  body: string | null
  leg: number
  /** Milliseconds since the first message. */
  after: number
  kind: 'request' | 'provisional' | 'success' | 'failure'
}
/** A pause in which nothing was said, drawn as a break. */
export interface Rest { y: number; seconds: number }
export interface Drawing { width: number; height: number; lines: { name: string; x: number }[]; rungs: Rung[]; rests: Rest[] }

const COLUMN = 270
const EDGE = 150
const TOP = 64
const STEP = 44
const REST = 34
/** Longer silences than this get a break of their own, ms. */
const LONG = 2000

export function draw({ lines, messages }: Pick<Ladder, 'lines' | 'messages'>): Drawing {
  // A name that stands in a message alone gets a lifeline, too: nothing is left out for being unexpected.
  const names = [...new Set([...lines, ...messages.flatMap(({ from, to }) => [from, to])])]
  const place = new Map(names.map((name, n) => [name, EDGE + n * COLUMN]))
  const first = messages[0] ? Date.parse(messages[0].at) : 0
  const rungs: Rung[] = []
  const rests: Rest[] = []
  let y = TOP
  let last = first
  for (const [n, message] of messages.entries()) {
    const at = Date.parse(message.at)
    if (at - last > LONG) {
      rests.push({ y: y + (STEP + REST) / 2 - 10, seconds: (at - last) / 1000 })
      y += REST
    }
    last = at
    y += n === 0 ? STEP / 2 : STEP
    rungs.push({
      ...message, n, y, x1: place.get(message.from) ?? EDGE, x2: place.get(message.to) ?? EDGE, after: at - first, kind: kindOf(message.what),
    })
  }
  return {
    width: EDGE * 2 + Math.max(0, names.length - 1) * COLUMN,
    height: y + STEP,
    lines: [...place].map(([name, x]) => ({ name, x })), rungs, rests,
  }
}

/** `200 OK` is a success, `INVITE` a request. RFC 3261 §7.2. */
export function kindOf(what: string): Rung['kind'] {
  const status = /^(\d)\d\d\b/.exec(what)?.[1]
  if (!status) return 'request'
  return status === '1' ? 'provisional' : status === '2' ? 'success' : 'failure'
}
