// The recording lamp in words: what happens and why. Pure.
import type { CallView, RecordingView, Why } from '../api/types'
import type { Texts } from '../texts'

export interface Lamp {
  shape: 'on' | 'paused' | 'off' | 'fault'
  /** Begins with "Recording", "Not recording" or "Recording paused" (in English). */
  headline: string
  why: string
}

export interface Naming {
  /** The agent who looks. */
  me: string | null
  agent(id: string): string
}

export function lamp(call: Pick<CallView, 'phase' | 'recording'>, t: Texts, naming: Naming): Lamp {
  const { recording, phase } = call
  const why = whyWords(recording.why, t, naming)
  const talks = !['answering', 'welcome', 'asking', 'waiting', 'ringing', 'joining', 'over'].includes(phase)
  switch (recording.state) {
    case 'recording':
      return { shape: 'on', headline: t.lamp.recording, why }
    case 'paused':
      return { shape: 'paused', headline: recording.pausedAt ? t.lamp.paused : t.lamp.pausedByHold, why }
    case 'starting':
      return { shape: 'off', headline: t.lamp.starting, why }
    case 'failed':
      return { shape: 'fault', headline: t.lamp.failed, why }
    case 'off':
      if (!allowed(recording)) return { shape: 'off', headline: t.lamp.off, why }
      if (phase === 'consulting') return { shape: 'off', headline: t.lamp.consulting, why }
      return { shape: 'off', headline: talks ? t.lamp.off : t.lamp.notYet, why }
  }
}

/** Whether the reason given is one to record. */
export function allowed({ why }: Pick<RecordingView, 'why'>): boolean {
  return ['legal', 'agreed', 'agreed-earlier', 'override'].includes(why.kind)
}

export function whyWords(why: Why, t: Texts, { me, agent }: Naming): string {
  switch (why.kind) {
    case 'undecided': return t.why.undecided
    case 'never': return t.why.never
    case 'legal': return t.why.legal(why.basis, why.detail)
    case 'agreed': return t.why.agreed(t.format.time(why.at))
    case 'agreed-earlier': return t.why.agreedEarlier(t.format.date(why.at))
    case 'refused-earlier': return t.why.refusedEarlier(t.format.date(why.at))
    case 'withdrawn': return t.why.withdrawn(t.format.time(why.at))
    case 'refused': return t.why.refused(why.answer, t.format.time(why.at))
    case 'override':
      return t.why.override(why.by === me ? null : agent(why.by), t.category[why.category], t.format.time(why.at))
    case 'not-stored': return t.why.notStored
  }
}
