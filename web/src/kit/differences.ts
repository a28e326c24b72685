// Two people changed one document: what differs, and how the two become one. Pure.

export type Doc = Record<string, unknown>
export interface Difference { key: string; before: unknown; mine: unknown; theirs: unknown }

/** Keys in which mine and theirs differ. */
export function differences(before: object, mine: object, theirs: object): Difference[] {
  const [b, m, t] = [before as Doc, mine as Doc, theirs as Doc]
  return [...new Set([...Object.keys(m), ...Object.keys(t)])].sort()
    .filter((key) => !same(m[key], t[key]))
    .map((key) => ({ key, before: b[key], mine: m[key], theirs: t[key] }))
}

/** Who changed it: what only they changed is best taken from them. */
export const suggested = ({ before, mine }: Difference): 'mine' | 'theirs' => (same(before, mine) ? 'theirs' : 'mine')

/** Theirs, with mine where it was chosen. */
export function merged<T extends object>(mine: T, theirs: T, picks: Record<string, 'mine' | 'theirs'>): T {
  const all: Doc = { ...(theirs as Doc) }
  for (const [key, pick] of Object.entries(picks)) {
    if (pick !== 'mine') continue
    const value = (mine as Doc)[key]
    if (value === undefined) delete all[key]
    else all[key] = value
  }
  return all as T
}

/** The same document, whatever the order of its keys; unset and `undefined` are one. */
export function same(a: unknown, b: unknown): boolean { return canonical(a) === canonical(b) }

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
  }) ?? 'undefined'
}

/** Keys whose values nobody reads over a shoulder, wherever in a document they are. */
const SECRET = /(^|-)(password|secret)$/
export const isSecret = (key: string): boolean => SECRET.test(key)

/** As people read it in a table; what is secret is dots, as in its field. */
export function shown(value: unknown, key = ''): string {
  if (value === undefined || value === null) return ''
  if (isSecret(key)) return '••••••••'
  if (Array.isArray(value)) return value.map((part) => shown(part)).join(', ')
  if (typeof value === 'object') return Object.entries(value).map(([key, part]) => `${key}: ${shown(part, key)}`).join('; ')
  return String(value)
}
