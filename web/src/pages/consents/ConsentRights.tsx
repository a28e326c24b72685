// A customer's rights on consents: a copy of the answers, their withdrawal, a new question (domain rule 21).
import { Alert, Button, Radio, Stack, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { exchange, Fault, request } from '../../api/client'
import { tell, useDesk } from '../../app/hooks'
import { address } from '../../app/route'
import { Card, ConfirmDialog, saveFile, useFaultWords } from '../../kit'
import { dayAsMoment } from '../../kit/filters'
import { may } from '../../logic/mine'
import { wholeNumber } from '../../logic/number'
import { useTexts } from '../../texts'
import { useRecordsWords } from '../../texts/admin/records'

export function ConsentRights() {
  return (
    <div className="stack">
      <Export />
      <div className="two"><Withdraw /><Reset /></div>
    </div>
  )
}

function Export() {
  const words = useRecordsWords()
  const faultWords = useFaultWords()
  const [number, setNumber] = useState('')
  const [since, setSince] = useState('')
  const [until, setUntil] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async () => {
    setBusy(true)
    setFault(null)
    try {
      const [from, to] = [dayAsMoment(since, false), dayAsMoment(until, true)]
      const response = await exchange('POST', '/consents/export',
        { ...(number.trim() && { number: number.trim() }), ...(from && { since: from }), ...(to && { until: to }) }, { Accept: 'text/csv, application/json' })
      saveFile('consents.csv', await response.blob())
    } catch (error) {
      setFault(faultWords(error))
    }
    setBusy(false)
  }
  return (
    <Card title={words.consents.export}>
      <form onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}>
        <Stack gap="sm">
          <p className="soft">{words.consents.exportLead}</p>
          <div className="list-filters">
            <TextInput size="sm" label={words.number} value={number} placeholder={words.holds.numberHint} onChange={(event) => { setNumber(event.currentTarget.value) }} />
            <TextInput size="sm" type="date" label={words.since} value={since} onChange={(event) => { setSince(event.currentTarget.value) }} />
            <TextInput size="sm" type="date" label={words.until} value={until} onChange={(event) => { setUntil(event.currentTarget.value) }} />
            <Button type="submit" variant="default" loading={busy}>{words.consents.exportButton}</Button>
          </div>
          <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
        </Stack>
      </form>
    </Card>
  )
}

function Withdraw() {
  const t = useTexts()
  const words = useRecordsWords()
  const queries = useQueryClient()
  const [number, setNumber] = useState('')
  const [fault, setFault] = useState<string | undefined>()
  const [open, setOpen] = useState(false)
  const whole = wholeNumber(number)
  return (
    <Card title={words.consents.withdraw}>
      <form onSubmit={(event) => {
        event.preventDefault()
        setFault(whole ? undefined : words.consents.numberMissing)
        setOpen(whole !== null)
      }}>
        <Stack gap="sm">
          <p className="soft">{words.consents.withdrawLead}</p>
          <TextInput label={words.number} value={number} error={fault} placeholder={words.holds.numberHint} onChange={(event) => { setNumber(event.currentTarget.value) }} />
          <Button type="submit" color="red" variant="outline" style={{ justifySelf: 'start', alignSelf: 'start' }}>{words.consents.withdrawButton}</Button>
        </Stack>
      </form>
      <ConfirmDialog opened={open} onClose={() => { setOpen(false) }} title={words.consents.withdrawTitle(whole ?? '')} lead={words.consents.withdrawLead}
        confirm={words.consents.withdraw} reason danger act={async (reason) => {
          const { withdrawn, told } = await request<{ withdrawn: number; told: number }>('POST', '/consents/withdraw', { number: whole, reason })
          tell(t, words.consents.withdrawn_(withdrawn, told))
          void queries.invalidateQueries({ queryKey: ['list', '/consents'] })
        }} />
    </Card>
  )
}

function Reset() {
  const words = useRecordsWords()
  const queries = useQueryClient()
  const { session } = useDesk()
  const [whom, setWhom] = useState<'one' | 'all'>('one')
  const [number, setNumber] = useState('')
  const [fault, setFault] = useState<string | undefined>()
  const [open, setOpen] = useState(false)
  const [typed, setTyped] = useState('')
  const [done, setDone] = useState<number | null>(null)
  const whole = wholeNumber(number)
  const all = whom === 'all'
  return (
    <Card title={words.consents.reset_}>
      <form onSubmit={(event) => {
        event.preventDefault()
        setFault(all || whole ? undefined : words.consents.numberMissing)
        setTyped('')
        setOpen(all || whole !== null)
      }}>
        <Stack gap="sm">
          <p className="soft">{words.consents.resetLead}</p>
          <Radio.Group label={words.consents.resetWhom} value={whom} onChange={(value) => { setWhom(value as 'one' | 'all') }}>
            <Stack gap={6} mt={6}><Radio value="one" label={words.consents.resetOne} /><Radio value="all" label={words.consents.resetAll} /></Stack>
          </Radio.Group>
          {!all && <TextInput label={words.number} value={number} error={fault} placeholder={words.holds.numberHint} onChange={(event) => { setNumber(event.currentTarget.value) }} />}
          <Button type="submit" color="red" variant="outline" style={{ alignSelf: 'start' }}>{words.consents.resetButton}</Button>
          <div role="status">{done !== null && (
            <Alert color="green" variant="outline">{words.consents.resetDone(done)} {may(session, 'dpo') && <a href={address('tasks')}>{words.consents.toTasks}</a>}</Alert>
          )}</div>
        </Stack>
      </form>
      <ConfirmDialog opened={open} onClose={() => { setOpen(false) }} title={all ? words.consents.resetTitleAll : words.consents.resetTitleOne(whole ?? '')}
        lead={words.consents.resetMeans(all ? words.consents.resetWhomAll : words.consents.resetWhomOne(whole ?? ''))} confirm={words.consents.reset_} reason danger
        act={async (reason) => {
          if (all && typed.trim() !== words.consents.resetWord) throw new Fault(422, 'not-typed', words.consents.resetType)
          const { reset } = await request<{ reset: number; exported: string }>('POST', '/consents/reset', { ...(all ? { all: true } : { number: whole }), reason })
          setDone(reset)
          for (const path of ['/consents', '/privacy/tasks']) void queries.invalidateQueries({ queryKey: ['list', path] })
        }}>
        {all && <TextInput label={words.consents.resetType} value={typed} onChange={(event) => { setTyped(event.currentTarget.value) }} autoComplete="off" />}
      </ConfirmDialog>
    </Card>
  )
}
