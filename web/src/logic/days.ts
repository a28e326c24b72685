// Days as date fields write them. Pure: the caller gives the moment.

/** The day so many days before a moment, as `2026-11-22`, by the clock of this place. */
export function daysBack(now: Date, days: number): string {
  const at = new Date(now.getFullYear(), now.getMonth(), now.getDate() - days)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}
