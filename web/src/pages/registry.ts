// The administrators' pages. Each is a folder here with a `page.ts` that says where it is and who may see it; what it
// draws is loaded when it is opened. Nothing else lists them: who adds a page adds a folder.
import type { ComponentType, LazyExoticComponent } from 'react'

import type { Right, Session } from '../api/types'
import { may } from '../logic/mine'
import type { Words } from '../texts/admin/nav'

/** In the order they are shown. */
export const GROUPS = ['live', 'records', 'policy', 'people', 'logs', 'system', 'own'] as const
export type Group = (typeof GROUPS)[number]

export interface PageEntry {
  /** The first part of the address: `#/queues/…`. */
  route: string
  group: Group
  /** The place in its group. */
  order: number
  /** Who has one of these sees it; empty: everybody who sees the administration at all. */
  rights: Right[]
  title(words: Words): string
  /** `parts`: what follows the route in the address. */
  Page: LazyExoticComponent<ComponentType<{ parts: string[] }>>
}

const found = import.meta.glob<{ page: PageEntry }>('./*/page.ts', { eager: true })
export const PAGES: PageEntry[] = Object.values(found).map(({ page }) => page)
  .sort((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group) || a.order - b.order)

/** The pages this user may see. */
export const pagesOf = (session: Session) =>
  PAGES.filter(({ rights }) => rights.length === 0 || rights.some((right) => may(session, right)))

/** Whether there is anything to administer for this user. */
export const administers = (session: Session) => pagesOf(session).some(({ rights }) => rights.length > 0)

/** Where who administers begins: the overview; whose only work is people's data, with what was asked about it. */
export const homeOf = (session: Session): PageEntry | undefined => {
  const pages = pagesOf(session)
  const named = (route: string) => pages.find((page) => page.route === route)
  return named('overview') ?? named('tasks') ?? pages[0]
}
