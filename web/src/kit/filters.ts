// Filters of a list: in the address as people chose them, in the request as the server wants them. Pure.

export type Filter = { name: string; label: string } & (
  | { kind: 'text'; hint?: string }
  | { kind: 'choice'; options: { value: string; label: string }[] }
  /** A day; `until` includes it. Sent as RFC 3339. */
  | { kind: 'day'; end?: boolean }
)

/** The query of a request: filters that are set, the order, what always holds. */
export function asked(filters: Filter[], query: Record<string, string>, more: Record<string, string | null | undefined> = {}): string {
  const pairs: [string, string][] = []
  for (const filter of filters) {
    const value = query[filter.name]?.trim()
    if (!value) continue
    const sent = filter.kind === 'day' ? dayAsMoment(value, filter.end ?? false) : value
    if (sent) pairs.push([filter.name, sent])
  }
  for (const [name, value] of Object.entries(more)) if (value) pairs.push([name, value])
  const text = new URLSearchParams(pairs).toString()
  return text && `?${text}`
}

/** The start of a day here, or of the next, as RFC 3339; null: it is no day. */
export function dayAsMoment(day: string, end: boolean): string | null {
  const part = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day)
  if (!part) return null
  const [year, month, date] = [Number(part[1]), Number(part[2]) - 1, Number(part[3])]
  const at = new Date(year, month, date)
  if (at.getMonth() !== month || at.getDate() !== date) return null
  return new Date(year, month, date + (end ? 1 : 0)).toISOString()
}

/** How many filters are set. */
export const setOf = (filters: Filter[], query: Record<string, string>) => filters.filter(({ name }) => query[name]).length

/** A cell of a CSV file (RFC 4180); what a spreadsheet would compute begins with an apostrophe. */
export function csvCell(value: string | number | null): string {
  const plain = value === null ? '' : String(value)
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

export const csvOf = (rows: (string | number | null)[][]) => rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('')

/** Turns rows by a value: numbers as numbers, texts as people order them, nothing last. */
export function sorted<T>(rows: T[], value: (row: T) => string | number | null, descending: boolean): T[] {
  const sign = descending ? -1 : 1
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)]
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    if (typeof a === 'number' && typeof b === 'number') return sign * (a - b)
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true })
  })
}
