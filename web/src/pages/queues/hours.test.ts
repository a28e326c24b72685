import { describe, expect, it } from 'vitest'

import { en } from '../../texts/admin/queues/en'
import { hoursWords, isDay, minutes, nextSlot, openMinutes, readSlot, shownEnd, slotFaults, withDay, writeSlot } from './hours'

describe('opening hours', () => {
  it('reads times', () => {
    expect(minutes('08:30')).toBe(510)
    expect(minutes('24:00')).toBe(1440)
    for (const bad of ['', '8:30', '24:01', '12:60', 'noon']) expect(minutes(bad), bad).toBeNull()
  })
  it('writes midnight at the end as the end of the day', () => {
    expect(writeSlot({ from: '18:00', to: '00:00' })).toBe('18:00-24:00')
    // What was stored so comes back so, whichever end is changed.
    const { from, to } = readSlot('18:00-24:00')
    expect(shownEnd(to)).toBe('00:00')
    expect(writeSlot({ from: '17:00', to })).toBe('17:00-24:00')
    expect(writeSlot({ from, to: shownEnd(to) })).toBe('18:00-24:00')
    expect(slotFaults(['00:00-24:00'])).toEqual([null])
    expect(readSlot('08:00-12:00')).toEqual({ from: '08:00', to: '12:00' })
  })
  it('finds what is wrong with a day', () => {
    expect(slotFaults(['08:00-12:00', '12:00-17:00'])).toEqual([null, null])
    expect(slotFaults(['08:00-12:30', '12:00-17:00'])).toEqual(['overlap', 'overlap'])
    expect(slotFaults(['12:00-08:00', '-17:00'])).toEqual(['backwards', 'bad'])
  })
  it('leaves closed days out, and keeps the order of the week', () => {
    const hours = withDay(withDay({ sun: ['10:00-12:00'] }, 'mon', ['08:00-17:00']), 'sun', [])
    expect(hours).toEqual({ mon: ['08:00-17:00'] })
    expect(Object.keys(withDay({ sun: ['10:00-12:00'] }, 'mon', ['08:00-17:00']))).toEqual(['mon', 'sun'])
  })
  it('offers hours after the last', () => {
    expect(nextSlot([])).toBe('08:00-17:00')
    expect(nextSlot(['08:00-12:00'])).toBe('13:00-17:00')
    expect(nextSlot(['08:00-24:00'])).toBe('23:00-24:00')
  })
  it('says them in a line', () => {
    const week = ['08:00-12:00', '13:00-17:00']
    expect(hoursWords({ mon: week, tue: week, wed: week, fri: ['08:00-12:00'] }, en.short)).toBe('Mon–Wed 08:00–12:00 13:00–17:00, Fri 08:00–12:00')
    expect(openMinutes({ mon: week, sat: ['20:00-24:00'] })).toBe(12 * 60)
  })
  it('knows days', () => {
    expect(isDay('2028-02-29')).toBe(true)
    for (const bad of ['2026-02-30', '2026-2-3', 'Christmas', '']) expect(isDay(bad), bad).toBe(false)
  })
})
