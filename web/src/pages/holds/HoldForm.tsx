// Placing a hold: on what is looked at, or on what is written in.
import { Button, Modal, SegmentedControl, Stack, Textarea, TextInput, Alert } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import type { Hold } from '../../api/admin'
import { request } from '../../api/client'
import { tell } from '../../app/hooks'
import { useFaultWords } from '../../kit'
import { dayAsMoment } from '../../kit/filters'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useRecordsWords } from '../../texts/admin/records'

export type HoldOn = { recording: string } | { call: string } | { number: string } | { queue: string; since: string; until: string }

/** `on`: what is held; absent: it is asked. */
export function HoldButton({ on, label, onDone }: { on?: HoldOn; label: string; onDone?(): void }) {
  const words = useRecordsWords()
  const kit = useKitWords()
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button size="xs" variant="default" onClick={() => { setOpen(true) }}>{label}</Button>
      <Modal opened={open} onClose={() => { setOpen(false) }} title={words.holds.addTitle} closeButtonProps={{ 'aria-label': kit.form.close }}>
        {open && <HoldForm on={on} onClose={() => { setOpen(false) }} onDone={onDone} />}
      </Modal>
    </>
  )
}

type Kind = Hold['on']['kind']

function HoldForm({ on, onClose, onDone }: { on?: HoldOn; onClose(): void; onDone?(): void }) {
  const t = useTexts()
  const words = useRecordsWords()
  const kit = useKitWords()
  const faultWords = useFaultWords()
  const queries = useQueryClient()
  const [kind, setKind] = useState<Kind>('number')
  const [id, setId] = useState('')
  const [since, setSince] = useState('')
  const [to, setTo] = useState('')
  const [until, setUntil] = useState('')
  const [reason, setReason] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)

  const target = (): HoldOn | string => {
    if (on) return on
    const name = id.trim()
    if (!name) return words.holds.missing
    if (kind === 'recording') return { recording: name }
    if (kind === 'call') return { call: name }
    if (kind === 'number') return { number: name }
    const [from, end] = [dayAsMoment(since, false), dayAsMoment(to, true)]
    return from && end ? { queue: name, since: from, until: end } : words.holds.spanMissing
  }
  const submit = async () => {
    const what = target()
    if (typeof what === 'string' || !reason.trim()) {
      setFault(typeof what === 'string' ? what : words.reasonMissing)
      return
    }
    setBusy(true)
    setFault(null)
    try {
      const ends = dayAsMoment(until, true)
      await request<Hold>('POST', '/holds', { on: what, reason: reason.trim(), ...(ends && { until: ends }) })
      for (const key of [['list'], ['why'], ['recording'], ['retention']]) void queries.invalidateQueries({ queryKey: key })
      tell(t, words.holds.placed_)
      onClose()
      onDone?.()
    } catch (error) {
      setFault(faultWords(error))
      setBusy(false)
    }
  }
  const day = (label: string, value: string, set: (value: string) => void, description?: string) => (
    <TextInput type="date" label={label} description={description} value={value} onChange={(event) => { set(event.currentTarget.value) }} />
  )
  return (
    <form noValidate onSubmit={(event) => {
      event.preventDefault()
      void submit()
    }}>
      <Stack>
        <p className="soft">{words.holds.lead}</p>
        {!on && (
          <>
            <SegmentedControl aria-label={words.holds.what} value={kind} onChange={(value) => { setKind(value as Kind) }}
              data={(['number', 'call', 'recording', 'queue'] as const).map((one) => ({ value: one, label: words.holds.kinds[one] }))} />
            <TextInput label={words.holds.kinds[kind]} placeholder={kind === 'number' ? words.holds.numberHint : undefined} value={id}
              onChange={(event) => { setId(event.currentTarget.value) }} data-autofocus />
            {kind === 'queue' && <div className="two">{day(words.since, since, setSince)}{day(words.until, to, setTo)}</div>}
          </>
        )}
        <Textarea label={words.reason} value={reason} onChange={(event) => { setReason(event.currentTarget.value) }} autosize minRows={2} maxLength={1000} />
        {day(words.holds.until, until, setUntil, words.holds.untilHint)}
        <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
        <div className="row end">
          <Button variant="default" onClick={onClose}>{kit.form.cancel}</Button>
          <Button type="submit" loading={busy}>{words.holds.place}</Button>
        </div>
      </Stack>
    </form>
  )
}
