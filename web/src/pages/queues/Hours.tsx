// Opening hours: always, or per day; days on which nobody is there; what callers get then.
import { Button, TextInput } from '@mantine/core'

import { Choices, ListField } from '../../kit'
import { useTexts } from '../../texts'
import { useQueuesWords } from '../../texts/admin/queues'

import { DAYS, isDay, nextSlot, openMinutes, readSlot, shownEnd, slotFaults, withDay, writeSlot, type Day, type Hours } from './hours'

export function HoursField({ value, onChange }: { value: Hours | undefined; onChange(value: Hours | undefined): void }) {
  const words = useQueuesWords()
  const t = useTexts()
  const week = Object.fromEntries(DAYS.slice(0, 5).map((day) => [day, ['08:00-17:00']])) as Hours
  const open = value === undefined ? 0 : openMinutes(value)
  return (
    <div className="stack">
      <Choices label={words.names.hours} hint={words.inZone} value={value === undefined ? 'always' : 'set'} onChange={(kind) => { onChange(kind === 'always' ? undefined : week) }}
        options={[{ value: 'always', label: words.always24 }, { value: 'set', label: words.setHours }]} />
      {value !== undefined && (
        <div>
          <div className="week">
            {DAYS.map((day) => <DayRow key={day} day={day} slots={value[day] ?? []} onChange={(slots) => { onChange(withDay(value, day, slots)) }} />)}
          </div>
          <div className="row" style={{ marginTop: 10 }}>
            <Button size="xs" variant="default" onClick={() => {
              onChange(DAYS.slice(1, 5).reduce((hours, day) => withDay(hours, day, value.mon ?? []), value))
            }}>{words.copyDown}</Button>
            <span className="soft" role="status">{open === 0 ? words.never : words.openFor((open / 60).toLocaleString(t.format.locale))}</span>
          </div>
        </div>
      )}
    </div>
  )
}

function DayRow({ day, slots, onChange }: { day: Day; slots: string[]; onChange(slots: string[]): void }) {
  const words = useQueuesWords()
  const name = words.days[day]
  const faults = slotFaults(slots)
  const put = (n: number, part: Partial<{ from: string; to: string }>) => {
    onChange(slots.map((slot, at) => (at === n ? writeSlot({ ...readSlot(slot), ...part }) : slot)))
  }
  return (
    <fieldset className="bare day">
      <legend>{name}</legend>
      <div className="slots">
        {slots.length === 0 && <span className="soft">{words.closedDay}</span>}
        {slots.map((slot, n) => {
          const { from, to } = readSlot(slot)
          const fault = faults[n]
          return (
            <div key={n}>
              <div className="row" style={{ gap: 6 }} role="group" aria-label={words.slot(name, n + 1)}>
                <TextInput size="xs" type="time" aria-label={words.from} value={from} error={Boolean(fault)} onChange={(event) => { put(n, { from: event.currentTarget.value }) }} />
                <span aria-hidden="true">–</span>
                <TextInput size="xs" type="time" aria-label={words.to} value={shownEnd(to)} error={Boolean(fault)} onChange={(event) => { put(n, { to: event.currentTarget.value }) }} />
                <Button size="compact-xs" variant="subtle" color="gray" aria-label={words.removeSlot(name, n + 1)} onClick={() => { onChange(slots.filter((_, at) => at !== n)) }}>✕</Button>
              </div>
              {fault && <div className="bad small" role="alert">{words.slotFaults[fault]}</div>}
            </div>
          )
        })}
        <Button size="compact-xs" variant="default" aria-label={words.addSlot(name)} onClick={() => { onChange([...slots, nextSlot(slots)]) }}>+</Button>
      </div>
    </fieldset>
  )
}

export function ClosedField({ value, onChange, error }: { value: string[] | undefined; onChange(value: string[] | undefined): void; error?: string }) {
  const words = useQueuesWords()
  const bad = value?.find((day) => !isDay(day))
  return (
    <ListField label={words.closedDays} hint={words.closedHint} value={value} error={bad === undefined ? error : words.badDay(bad)}
      onChange={(days) => { onChange(days && [...days].sort()) }} />
  )
}
