// Durations as the settings write them (`20s`, `1h30m`, `90d`), and as people say them. Pure; `src/settings/span.rs` is
// the other side.

export const UNITS = ['d', 'h', 'm', 's', 'ms'] as const
export type Unit = (typeof UNITS)[number]
const SCALE: Record<Unit, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

/** Milliseconds; null: no duration. Units come in order, each once. */
export function parseSpan(text: string): number | null {
  let rest = text.trim()
  let next = 0
  let all = 0
  if (rest === '') return null
  while (rest !== '') {
    const part = /^(\d+)([a-z]+)/.exec(rest)
    const unit = UNITS.indexOf(part?.[2] as Unit)
    if (!part || unit < next) return null
    all += Number(part[1]) * SCALE[UNITS[unit] as Unit]
    next = unit + 1
    rest = rest.slice(part[0].length)
  }
  return Number.isSafeInteger(all) ? all : null
}

/** In one unit, the longest that needs no fraction: `1h30m` is 90 m. */
export function splitSpan(text: string): { amount: number; unit: Unit } | null {
  const span = parseSpan(text)
  if (span === null) return null
  // Nothing is so many of any unit: the one that was written stays.
  if (span === 0) return { amount: 0, unit: (/[a-z]+$/.exec(text.trim())?.[0] ?? 's') as Unit }
  const unit = UNITS.find((unit) => span % SCALE[unit] === 0) ?? 'ms'
  return { amount: span / SCALE[unit], unit }
}

export type UnitWords = Record<Unit, (n: number) => string>

/** `90 days`, `1 hour 30 minutes`; what is no duration comes back as it is. */
export function spanWords(words: UnitWords, text: string): string {
  let rest = parseSpan(text)
  if (rest === null) return text
  const parts: string[] = []
  for (const unit of UNITS) {
    const n = Math.floor(rest / SCALE[unit])
    rest %= SCALE[unit]
    if (n > 0) parts.push(`${n} ${words[unit](n)}`)
  }
  return parts.join(' ') || `0 ${words.s(0)}`
}
