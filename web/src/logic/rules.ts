// Changed rules of retention: what is simulated, and which documents are saved. Pure.
import type { QueueDocument, RetentionView, SystemDocument } from '../api/admin'
import { parseSpan } from '../kit/span'

/** Spans as the settings write them: "90d", "forever"; empty for a queue: as the system says. */
export interface Rules {
  system: { calls: string; recordings: string; reporting: string }
  queues: Record<string, { calls: string; recordings: string }>
}
export interface SimulationAsk {
  system?: { calls?: string; recordings?: string; reporting?: string }
  queues?: Record<string, { retention?: string | null; 'file-removal'?: string | null }>
}

/** The rules as they are: from the documents where they are known (a queue's may be empty), the system's from the view. */
export function rulesOf(view: RetentionView, queues: { name: string; document: QueueDocument }[]): Rules {
  const all = view.rules.find(({ queue }) => queue === null)
  return {
    system: { calls: all?.calls ?? 'forever', recordings: all?.recordings ?? 'forever', reporting: view.reporting },
    queues: Object.fromEntries(queues.map(({ name, document }) =>
      [name, { calls: document.retention ?? '', recordings: document['file-removal'] ?? '' }])),
  }
}

/** What differs, as the server simulates it; null: nothing does. */
export function simulationOf(before: Rules, after: Rules): SimulationAsk | null {
  const ask: SimulationAsk = {}
  const system = differing(before.system, after.system)
  if (Object.keys(system).length > 0) ask.system = system
  for (const [name, rule] of Object.entries(after.queues)) {
    const was = before.queues[name] ?? { calls: '', recordings: '' }
    const change: { retention?: string | null; 'file-removal'?: string | null } = {}
    if (was.calls !== rule.calls) change.retention = rule.calls || null
    if (was.recordings !== rule.recordings) change['file-removal'] = rule.recordings || null
    if (Object.keys(change).length > 0) ask.queues = { ...ask.queues, [name]: change }
  }
  return ask.system || ask.queues ? ask : null
}

/** A queue's document with the change in it; null takes the key out, so that the system's rule holds. */
export function queueWith(document: QueueDocument, change: { retention?: string | null; 'file-removal'?: string | null }): QueueDocument {
  const next = { ...document }
  for (const key of ['retention', 'file-removal'] as const) {
    const value = change[key]
    if (value === null) delete next[key]
    else if (value !== undefined) next[key] = value
  }
  return next
}

export function systemWith(document: SystemDocument, change: NonNullable<SimulationAsk['system']>): SystemDocument {
  return {
    ...document,
    ...(change.calls !== undefined && { 'retention-calls': change.calls }),
    ...(change.recordings !== undefined && { 'retention-recordings': change.recordings }),
    ...(change.reporting !== undefined && { 'retention-reporting': change.reporting }),
  }
}

/** Milliseconds of a span, for comparing; forever is Infinity, what is no span NaN. */
const lengthOf = (text: string) => (text === 'forever' ? Infinity : parseSpan(text) ?? NaN)

/** Whether a change removes something sooner: that deserves a second look. */
export function sooner(before: Rules, after: Rules): boolean {
  const earlier = (was: string, is: string) => lengthOf(is) < lengthOf(was)
  const { system } = after
  return earlier(before.system.calls, system.calls) || earlier(before.system.recordings, system.recordings)
    || earlier(before.system.reporting, system.reporting)
    || Object.entries(after.queues).some(([name, rule]) => {
      const was = before.queues[name] ?? { calls: '', recordings: '' }
      return earlier(was.calls || before.system.calls, rule.calls || system.calls)
        || earlier(was.recordings || before.system.recordings, rule.recordings || system.recordings)
    })
}

function differing<T extends Record<string, string>>(before: T, after: T): Partial<T> {
  return Object.fromEntries(Object.entries(after).filter(([key, value]) => before[key] !== value)) as Partial<T>
}
