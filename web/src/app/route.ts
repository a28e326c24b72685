// Where we are: the part of the address after `#`, so that a reload stays where it was and a filter can be sent to a
// colleague: `#/queues/support?tab=hours`.
import { useCallback, useMemo, useSyncExternalStore } from 'react'

export interface Place {
  /** `queues`; empty: nothing was said. */
  page: string
  /** What follows, decoded: `['support']`. */
  parts: string[]
  query: Record<string, string>
}

export function parsePlace(hash: string): Place {
  const [path = '', query = ''] = cut(hash.replace(/^#?\/?/, ''), '?')
  const [page = '', ...parts] = path.split('/').filter(Boolean).map(decoded)
  return { page, parts, query: Object.fromEntries(new URLSearchParams(query)) }
}

/** `#/page/part?key=value`; empty values are left out. */
export function address(page: string, parts: string[] = [], query: Record<string, string | null | undefined> = {}): string {
  const kept = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]))
  const search = new URLSearchParams(kept).toString()
  return `#/${[page, ...parts].map(encodeURIComponent).join('/')}${search && `?${search}`}`
}

export function usePlace(): Place {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash)
  return useMemo(() => parsePlace(hash), [hash])
}

/** The query of this place, and how to change some of it without a new entry in the browser's history. */
export function useQueryPart(): [Record<string, string>, (change: Record<string, string | null>) => void] {
  const { query } = usePlace()
  const change = useCallback((change: Record<string, string | null>) => {
    const now = parsePlace(window.location.hash)
    replace(address(now.page, now.parts, { ...now.query, ...change }))
  }, [])
  return [query, change]
}

export function go(page: string, parts: string[] = [], query: Record<string, string> = {}) {
  window.location.hash = address(page, parts, query)
}

function replace(hash: string) {
  window.history.replaceState(null, '', hash)
  // The browser says nothing of what we replace ourselves.
  window.dispatchEvent(new HashChangeEvent('hashchange'))
}

function subscribe(tell: () => void) {
  window.addEventListener('hashchange', tell)
  return () => { window.removeEventListener('hashchange', tell) }
}

function cut(text: string, at: string): [string, string] {
  const found = text.indexOf(at)
  return found < 0 ? [text, ''] : [text.slice(0, found), text.slice(found + 1)]
}

/** What somebody typed into the address bar may be no good encoding. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
