// Opening hours: as the settings write them ({ mon: ["08:00-12:00"] }), as minutes of a day, as a line of words. Pure.

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Day = (typeof DAYS)[number]
export type Hours = Partial<Record<Day, string[]>>
export interface Slot { from: string; to: string }
const MIDNIGHT = 24 * 60

/** Minutes since midnight; `24:00` is the end of the day; null: no time. */
export function minutes(time: string): number | null {
  const part = /^(\d{2}):(\d{2})$/.exec(time)
  if (!part) return null
  const all = Number(part[1]) * 60 + Number(part[2])
  return Number(part[2]) < 60 && all <= MIDNIGHT ? all : null
}

/** `08:00-12:00` in two; what is missing is empty. */
export function readSlot(text: string): Slot {
  const [from = '', to = ''] = text.split('-').map((part) => part.trim())
  return { from, to }
}

/** A field for times knows no 24:00: midnight at the end is the day's end. */
export const writeSlot = ({ from, to }: Slot) => `${from}-${to === '00:00' ? '24:00' : to}`
export const shownEnd = (to: string) => (to === '24:00' ? '00:00' : to)

export type SlotFault = 'backwards' | 'overlap' | 'bad'

/** What is wrong with each of a day's slots. */
export function slotFaults(slots: string[]): (SlotFault | null)[] {
  const times = slots.map((slot) => {
    const { from, to } = readSlot(slot)
    return [minutes(from), minutes(to)] as const
  })
  return times.map(([from, to], n) => {
    if (from === null || to === null) return 'bad'
    if (to <= from) return 'backwards'
    const meets = times.some(([start, end], other) => other !== n && start !== null && end !== null && start < to && from < end)
    return meets ? 'overlap' : null
  })
}

/** Minutes open in a week. */
export function openMinutes(hours: Hours): number {
  return DAYS.flatMap((day) => hours[day] ?? []).reduce((sum, slot) => {
    const { from, to } = readSlot(slot)
    return sum + Math.max(0, (minutes(to) ?? 0) - (minutes(from) ?? 0))
  }, 0)
}

/** A day's slots changed; a day without any is closed and not written. */
export function withDay(hours: Hours, day: Day, slots: string[]): Hours {
  const next: Hours = {}
  for (const one of DAYS) {
    const list = one === day ? slots : hours[one] ?? []
    if (list.length > 0) next[one] = list
  }
  return next
}

/** The next slot somebody is likely to want: the first of a day, or one after the last. */
export function nextSlot(slots: string[]): string {
  const ends = slots.map((slot) => minutes(readSlot(slot).to) ?? 0)
  const end = Math.max(0, ...ends)
  if (end === 0) return '08:00-17:00'
  const from = Math.min(end + 60, MIDNIGHT - 60)
  const time = (at: number) => `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`
  return `${time(from)}-${time(Math.min(from + 240, MIDNIGHT))}`
}

/** `Mon–Fri 08:00–17:00, Sat 09:00–12:00`: days in a row with the same hours are one. */
export function hoursWords(hours: Hours, names: Record<Day, string>): string {
  const runs: { first: Day; last: Day; slots: string }[] = []
  DAYS.forEach((day, n) => {
    const slots = (hours[day] ?? []).join(' ')
    const last = runs.at(-1)
    if (slots === '') return
    if (last?.slots === slots && DAYS.indexOf(last.last) === n - 1) last.last = day
    else runs.push({ first: day, last: day, slots })
  })
  return runs.map(({ first, last, slots }) =>
    `${first === last ? names[first] : `${names[first]}–${names[last]}`} ${slots.replaceAll('-', '–')}`).join(', ')
}

/** Whether it is a day of the calendar: 2026-02-30 is none. */
export function isDay(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`)
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}
