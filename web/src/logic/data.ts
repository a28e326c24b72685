// Data attached to a call, as lines of a form. Pure; the server's bounds.
export interface Line { key: string; value: string }

const MOST_KEYS = 32
/** They are kept when the call is anonymised: no names are written so. */
const KEY = /^[a-z0-9._-]{1,64}$/
const LONGEST_VALUE = 1000

/** Lines without a key are none; of two with the same key the later holds. */
export function dataOf(lines: Line[]): Record<string, string> {
  return Object.fromEntries(lines.map(({ key, value }) => [key.trim(), value.trim()]).filter(([key]) => key))
}

/** Too many, too long, a key that is none, or a value without its key. */
export function badData(lines: Line[]): boolean {
  const data = Object.entries(dataOf(lines))
  return data.length > MOST_KEYS || data.some(([key, value]) => !KEY.test(key) || [...value].length > LONGEST_VALUE)
    || lines.some(({ key, value }) => !key.trim() && value.trim())
}
