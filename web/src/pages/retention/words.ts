// Spans of retention in words.
import { spanWords } from '../../kit'
import type { UnitWords } from '../../kit/span'
import { useKitWords } from '../../texts/admin/kit'
import { useRetentionWords } from '../../texts/admin/retention'

/** `90 days`, `for ever`. */
export function useKeepWords(): (keep: string) => string {
  const words = useRetentionWords()
  const kit = useKitWords()
  return (keep) => (keep === 'forever' ? words.forever.toLocaleLowerCase() : spanWords(kit.units, keep))
}

/** A lag in its two largest units at most: minutes do not matter in days. */
export function lagWords(units: UnitWords, seconds: number): string {
  const step = seconds >= 86_400 ? 3600 : seconds >= 3600 ? 60 : 1
  return spanWords(units, `${Math.floor(seconds / step) * step}s`)
}
