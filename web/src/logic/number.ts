// Telephone numbers as people type them. Pure; the server decides in the end.

/** A whole number in E.164 (ITU-T E.164 §6: at most 15 digits), separators taken out; null: it is none. */
export function wholeNumber(text: string): string | null {
  const plain = text.replace(/[\s().\-/]/g, '').replace(/^00/, '+')
  return /^\+[1-9]\d{5,14}$/.test(plain) ? plain : null
}

/** How many digits were typed. */
export const digitsOf = (text: string) => text.replace(/\D/g, '').length
