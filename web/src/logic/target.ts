// What was typed to find where a call shall go. Pure.

/** A number as dialled, without the signs people write between; null: it is no number. */
export function asNumber(text: string): string | null {
  const trimmed = text.trim()
  if (!/^\+?[\d\s\-/().]+$/.test(trimmed)) return null
  const bare = trimmed.replace(/[^\d+]/g, '')
  return bare.replace('+', '').length >= 2 ? bare : null
}

/** Whether every word typed begins a word of a name. */
export function matches(search: string, ...names: string[]): boolean {
  const plain = (text: string) => text.toLocaleLowerCase().normalize('NFD').replace(/\p{M}/gu, '')
  const words = names.flatMap((name) => plain(name).split(/[\s\-_.]+/))
  return plain(search).split(/\s+/).filter(Boolean).every((part) => words.some((word) => word.startsWith(part)))
}
