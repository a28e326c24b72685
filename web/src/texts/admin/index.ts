// Words of the administrators' pages: a folder a page with a file a language, loaded with the page.
import { useLanguage, type Language } from '..'

/** A hook that gives a page's words in the language chosen. */
export function pageTexts<T>(tables: Record<Language, T>): () => T {
  return () => tables[useLanguage().language]
}
