// Spans of time as people read them. Pure: the caller gives the moments.

/** Seconds as `0:42`, `12:05` or `1:02:03`; never below zero. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** Seconds from a moment of the server (RFC 3339) to `now` (ms since 1970, of the server's clock). */
export function since(moment: string, now: number): number {
  return Math.max(0, (now - Date.parse(moment)) / 1000)
}

/** Seconds from `now` to a moment of the server, rounded up: a countdown shows 0:00 when it is over, not before. */
export function until(moment: string, now: number): number {
  return Math.max(0, Math.ceil((Date.parse(moment) - now) / 1000))
}
