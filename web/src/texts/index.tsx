// The one place of words: a table a language, all of the shape of English. A missing key is a type error.
import { createContext, useContext, useEffect, useState, type ReactNode } from 'react'

import { de } from './de'
import { en, type Texts } from './en'
import { fi } from './fi'

export type { Texts }
export const LANGUAGES = { en, de, fi } satisfies Record<string, Texts>
export type Language = keyof typeof LANGUAGES

const Words = createContext<{ t: Texts; language: Language; choose(language: Language): void } | null>(null)
const KEY = 'sayso.language'

/** The first that we speak of: the user's own choice here, the account's language, the browser's. */
export function pickLanguage(...wishes: (string | null | undefined)[]): Language {
  for (const wish of wishes) {
    const short = wish?.slice(0, 2).toLowerCase()
    if (short && short in LANGUAGES) return short as Language
  }
  return 'en'
}

export function TextsProvider({ account, children }: { account: string | null; children: ReactNode }) {
  const [chosen, setChosen] = useState(() => localStorage.getItem(KEY))
  const language = pickLanguage(chosen, account, ...navigator.languages)
  useEffect(() => { document.documentElement.lang = language }, [language])
  const choose = (language: Language) => {
    localStorage.setItem(KEY, language)
    setChosen(language)
  }
  return <Words value={{ t: LANGUAGES[language], language, choose }}>{children}</Words>
}

export function useTexts(): Texts { return useLanguage().t }

export function useLanguage() {
  const words = useContext(Words)
  if (!words) throw new Error('useTexts outside of TextsProvider')
  return words
}
