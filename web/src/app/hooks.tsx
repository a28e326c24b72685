// What most parts of the page need: stores as React sees them, the ticking clock, and commands whose faults are told.
import { Button, type ButtonProps } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import {
  createContext, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore, type ReactNode,
} from 'react'

import { Fault } from '../api/client'
import type { LiveStream } from '../api/events'
import type { Session } from '../api/types'
import { Store } from '../logic/store'
import { clock, since, until } from '../logic/time'
import type { Phone } from '../phone/phone'
import { useTexts, type Texts } from '../texts'

export interface Desk { session: Session; live: LiveStream; phone: Phone; logOut(): void }
export const DeskContext = createContext<Desk | null>(null)

export function useDesk(): Desk {
  const desk = useContext(DeskContext)
  if (!desk) throw new Error('useDesk outside of the shell')
  return desk
}

export function useStore<T>(store: Store<T>): T { return useSyncExternalStore(store.subscribe, store.get) }
export const useLive = () => useStore(useDesk().live.store)
export const usePhone = () => useStore(useDesk().phone.store)

// One timer for all that tick on the page, on the whole second.
const ticks = new Store(Date.now())
window.setInterval(() => { ticks.set(Date.now()) }, 1000)

/** Now, by the server's clock, ms since 1970. */
export function useNow(): number {
  const { offset } = useLive()
  return useStore(ticks) + offset
}

/** Time gone since a moment, or left until one. Not announced: it would speak every second. */
export function Timer({ from, to }: { from: string; to?: never } | { to: string; from?: never }) {
  const now = useNow()
  return <span role="timer" aria-live="off" className="numbers">{clock(from ? since(from, now) : until(to ?? '', now))}</span>
}

/** A clock's reading, as text for a sentence. */
export function useCountdown(to: string | null): string | null {
  const now = useNow()
  return to ? clock(until(to, now)) : null
}

export function faultWords(t: Texts, error: unknown): string {
  if (!(error instanceof Fault)) return t.problem.other(String(error))
  if (error.status === 0) return t.problem.network
  if (error.title === 'not-now') return t.problem.notNow
  if (error.title === 'refused') return t.problem.refused
  if (error.title === 'no-target' || error.title === 'bad-number') return t.problem.noTarget
  if (error.title === 'bad-note' || error.title === 'bad-reason') return t.problem.badText
  if (error.status === 403) return t.problem.forbidden
  return error.status === 404 ? t.problem.gone : t.problem.other(error.message)
}

export function tell(t: Texts, message: string, fault = false) {
  notifications.show({
    message, color: fault ? 'red' : 'navy', role: fault ? 'alert' : 'status', autoClose: fault ? 10_000 : 4000,
    closeButtonProps: { 'aria-label': t.common.dismiss },
  })
}

/**
 * Keeps the focus in a part of the page whose buttons come and go: when the one that had it is gone, the part gets it, or
 * the first button left where that does no harm. `check` is for moments without a drawing, such as a dialog's end.
 */
export function useKeepFocus<T extends HTMLElement>(to: 'part' | 'button') {
  const part = useRef<T>(null)
  // Dialogs count as inside: React's events go up its tree, not the page's.
  const last = useRef<HTMLElement | null>(null)
  const check = useCallback(() => {
    const gone = last.current && (!last.current.isConnected || last.current.matches(':disabled'))
    if (!gone || document.activeElement !== document.body) return
    const left = to === 'button' ? part.current?.querySelector<HTMLElement>('button:not(:disabled)') : null
    const next = left ?? part.current
    next?.focus()
  }, [to])
  useEffect(check)
  const onFocus = ({ target }: React.FocusEvent<HTMLElement>) => { last.current = target }
  // To nowhere: perhaps removed under the user's hands, which the next look will show.
  const onBlur = ({ relatedTarget }: React.FocusEvent) => { if (relatedTarget) last.current = null }
  return { check, keep: { ref: part, onFocus, onBlur, tabIndex: -1 } }
}

/** Runs a command; tells a fault. Whether it went well. */
export function useCommand(): (act: () => Promise<unknown>) => Promise<boolean> {
  const t = useTexts()
  return async (act) => {
    try {
      await act()
      return true
    } catch (error) {
      tell(t, faultWords(t, error), true)
      return false
    }
  }
}

/** A button that carries a command out, and cannot be pressed again meanwhile. */
export function CommandButton({ act, children, ...props }: ButtonProps & {
  act: () => Promise<unknown>; children: ReactNode; 'aria-keyshortcuts'?: string; 'aria-describedby'?: string
  'aria-pressed'?: boolean
}) {
  const command = useCommand()
  const [busy, setBusy] = useState(false)
  const press = async () => {
    if (busy) return
    setBusy(true)
    await command(act)
    setBusy(false)
  }
  // Not `loading`: that disables it, and a disabled button loses the focus.
  return <Button {...props} aria-busy={busy} data-loading={busy || undefined} onClick={() => { void press() }}>{children}</Button>
}
