// What a player needs to know of a recording: where both sides are silent, where nothing was recorded, who is heard how
// loud. Pure: peaks and gaps in, spans of seconds out.
import type { Waveform } from '../api/admin'

export interface Span { start: number; end: number }

/** Below this share of full scale nobody speaks (about -36 dB). */
const QUIET = 0.016
/** Shorter silences belong to speaking, s. */
const SHORTEST = 2
/** So much of a silence is kept at each of its ends, s: words do not run into one another. */
const KEPT = 0.4

/** Where neither side speaks, longer than a breath; in order, not overlapping. */
export function silences({ seconds, caller, agent }: Waveform, shortest = SHORTEST): Span[] {
  const count = Math.max(caller.length, agent.length)
  if (count === 0 || seconds <= 0) return []
  const each = seconds / count
  const spans: Span[] = []
  let from: number | null = null
  for (let n = 0; n <= count; n++) {
    const quiet = n < count && Math.abs(caller[n] ?? 0) < QUIET && Math.abs(agent[n] ?? 0) < QUIET
    if (quiet && from === null) from = n
    if (!quiet && from !== null) {
      const span = { start: from * each, end: n * each }
      if (span.end - span.start >= shortest) spans.push(span)
      from = null
    }
  }
  return spans
}

/** Where a playing position jumps to when silence is skipped; null: it plays on. */
export function skipTo(at: number, spans: Span[], seconds: number): number | null {
  const within = spans.find(({ start, end }) => at >= start + KEPT && at < end - KEPT)
  if (!within) return null
  // A silence that lasts to the end has nothing after it: to the end itself.
  return within.end >= seconds - 0.05 ? seconds : within.end - KEPT
}

/** Seconds of playing time that skipping saves. */
export const saved = (spans: Span[]) => spans.reduce((sum, { start, end }) => sum + Math.max(0, end - start - 2 * KEPT), 0)

/** A span as a share of the whole, for a mark on the waveform: percent. */
export function mark({ start, end }: Span, seconds: number): { left: number; width: number } {
  if (seconds <= 0) return { left: 0, width: 0 }
  const left = Math.min(100, Math.max(0, (start / seconds) * 100))
  return { left, width: Math.max(0.15, Math.min(100 - left, ((end - start) / seconds) * 100)) }
}

/** How loud both sides are at a balance from -1 (the caller alone) to 1 (the agent alone). */
export function gains(balance: number, muted: { caller: boolean; agent: boolean }): { caller: number; agent: number } {
  const side = (share: number) => Math.min(1, Math.max(0, share))
  return { caller: muted.caller ? 0 : side(1 - balance), agent: muted.agent ? 0 : side(1 + balance) }
}
