// What the page does with a call that comes in: ring, take it at once, or say that it is busy.
import type { Purpose } from '../phone/line'

export interface Incoming {
  purpose: Purpose
  /** Which call it is of, as far as the server says. */
  call: string | null
}

/**
 * The server may ring anew for a conversation whose agent hangs up in that very moment (`left`): it is declined, or the
 * microphone would be open again. A conversation that lost its page is brought back to every browser of the agent. Only the one that had it takes it
 * by itself, in place of what is left of its old line; on any other it rings, and never ends another call's line.
 * `had`: the call this browser spoke in last; `busy`: the call of its line now, if it has one.
 */
export function onIncoming(
  { purpose, call }: Incoming, had: string | null, busy: { call: string | null } | null, left: string | null = null,
): 'ring' | 'answer' | 'busy' | 'decline' {
  if (purpose === 'reattach' && call !== null && call === left) return 'decline'
  if (purpose === 'reattach' && call !== null && call === (busy ? busy.call : had)) return 'answer'
  if (busy) return 'busy'
  return purpose === 'supervise' ? 'answer' : 'ring'
}
