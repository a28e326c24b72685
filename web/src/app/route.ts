// Which page: the part of the address after `#`, so that a reload stays where it was.
import { useSyncExternalStore } from 'react'

export const PAGES = ['desk', 'wallboard', 'calls', 'listening'] as const
export type PageName = (typeof PAGES)[number]

export const address = (page: PageName) => `#/${page}`

export function usePage(first: PageName): PageName {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash)
  return PAGES.find((page) => hash === address(page)) ?? first
}

export function go(page: PageName) { window.location.hash = address(page) }

function subscribe(tell: () => void) {
  window.addEventListener('hashchange', tell)
  return () => { window.removeEventListener('hashchange', tell) }
}
