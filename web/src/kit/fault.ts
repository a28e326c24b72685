// What went wrong, in words of these pages.
import { Fault } from '../api/client'
import { faultWords } from '../app/hooks'
import { useTexts } from '../texts'
import { useKitWords } from '../texts/admin/kit'

export function useFaultWords(): (error: unknown) => string {
  const t = useTexts()
  const { fault } = useKitWords()
  return (error) => {
    if (!(error instanceof Fault)) return faultWords(t, error)
    if (error.errors.length > 0) return error.errors.map(({ key, what }) => `${key} ${what}`).join('; ')
    if (error.status === 412) return fault.changed
    if (error.status === 404) return fault.gone
    if (error.status === 429) return fault.tooMany
    if (error.status === 409 && error.title === 'own') return fault.own
    // The titles of commands to a call say something else here.
    if ((error.status === 409 || error.status === 422) && error.message) return error.message
    return faultWords(t, error)
  }
}
