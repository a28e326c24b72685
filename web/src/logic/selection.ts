// What of a person's data is selected. Pure.
import type { Found, Selection } from '../api/admin'

export interface Picked { calls: Set<string>; entries: Set<string>; consents: boolean }

/** All that was found: who looks for a person mostly means all of it. */
export function everything(found: Found): Picked {
  return {
    calls: new Set(callsOf(found)), entries: new Set(found.entries.items.map(({ id }) => id)), consents: found.consents.total > 0,
  }
}

/** The calls that can be selected: those found, and those whose recordings or consents were found. */
export function callsOf(found: Found): string[] {
  return [...new Set([
    ...found.calls.items.map(({ id }) => id), ...found.recordings.items.map(({ call }) => call), ...found.consents.items.map(({ call }) => call),
  ])]
}

export function toggled(set: Set<string>, id: string): Set<string> {
  const next = new Set(set)
  if (!next.delete(id)) next.add(id)
  return next
}

/** All of them, or none if all are in it already. */
export function toggledAll(set: Set<string>, ids: string[]): Set<string> {
  const all = ids.every((id) => set.has(id))
  return new Set(all ? [...set].filter((id) => !ids.includes(id)) : [...set, ...ids])
}

export const selectionOf = ({ calls, entries, consents }: Picked): Selection => ({ calls: [...calls], entries: [...entries], consents })
export const isEmpty = ({ calls, entries }: Picked) => calls.size === 0 && entries.size === 0
