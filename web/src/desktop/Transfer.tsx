// To whom: an agent, a queue or a number; asked first or sent there at once.
import { Button, Modal, Stack, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'

import { api } from '../api/client'
import type { Target } from '../api/types'
import { useCommand, useDesk, useLive } from '../app/hooks'
import { asNumber, matches } from '../logic/target'
import { useTexts } from '../texts'

export function TransferDialog({ call, opened, onClose }: { call: string; opened: boolean; onClose(): void }) {
  const t = useTexts()
  const command = useCommand()
  const [search, setSearch] = useState('')
  const [chosen, setChosen] = useState<string | null>(null)
  const [busy, setBusy] = useState<'consult' | 'transfer' | null>(null)
  const { data: directory } = useQuery({ queryKey: ['directory'], queryFn: api.directory, enabled: opened })
  const number = directory?.outside ? asNumber(search) : null
  const target = chosen ?? (number ? `number:${number}` : null)

  const send = async (how: 'consult' | 'transfer') => {
    if (!target) return
    setBusy(how)
    const done = await command(() => api[how](call, parse(target)))
    setBusy(null)
    if (!done) return
    setSearch('')
    setChosen(null)
    onClose()
  }

  return (
    <Modal opened={opened} onClose={onClose} title={t.transfer.title} size="lg" closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack>
        <TextInput label={t.transfer.search} description={directory?.outside ? t.transfer.numberHint : undefined} value={search}
          onChange={(event) => {
            setSearch(event.currentTarget.value)
            setChosen(null)
          }} data-autofocus autoComplete="off" />
        <Targets search={search} number={number} target={target} onChoose={setChosen} directory={directory} />
        <p className="soft">{t.transfer.explain}</p>
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={onClose}>{t.common.cancel}</Button>
          <Button variant="default" disabled={!target} loading={busy === 'transfer'} onClick={() => { void send('transfer') }}>{t.transfer.now}</Button>
          <Button disabled={!target} loading={busy === 'consult'} onClick={() => { void send('consult') }}>{t.transfer.consult}</Button>
        </div>
      </Stack>
    </Modal>
  )
}

function Targets({ search, number, target, onChoose, directory }: {
  search: string; number: string | null; target: string | null; onChoose(target: string): void
  directory: Awaited<ReturnType<typeof api.directory>> | undefined
}) {
  const t = useTexts()
  const { session } = useDesk()
  const live = useLive()
  const agents = (directory?.agents ?? []).filter((one) => one.id !== session.agent && matches(search, one.name, one.id))
  const queues = (directory?.queues ?? []).filter((id) => matches(search, id))
  const option = (value: string, name: string, more: ReactNode) => (
    <label className="target" key={value}>
      <input type="radio" name="target" value={value} checked={target === value} onChange={() => { onChoose(value) }} />
      <span className="grow">{name}</span>{more}
    </label>
  )
  return (
    <fieldset className="targets">
      <legend className="hidden">{t.transfer.target}</legend>
      {number && option(`number:${number}`, number, <span className="soft">{t.transfer.number}</span>)}
      {agents.length > 0 && <h3>{t.transfer.agents}</h3>}
      {agents.map(({ id, name }) => {
        const state = live.agents.get(id)?.state ?? 'logged-off'
        return option(`agent:${id}`, name, <span className="state"><span className="dot" data-state={state} />{t.presence.states[state]}</span>)
      })}
      {queues.length > 0 && <h3>{t.transfer.queues}</h3>}
      {queues.map((id) => {
        const queue = live.queues.get(id)
        return option(`queue:${id}`, id, queue && <span className="soft">{t.transfer.waiting(queue.waiting)}, {t.transfer.ready(queue.ready)}</span>)
      })}
      {!number && agents.length + queues.length === 0 && <p className="soft">{directory ? t.transfer.none : t.common.loading}</p>}
    </fieldset>
  )
}

function parse(target: string): Target {
  const at = target.indexOf(':')
  const [kind, id] = [target.slice(0, at), target.slice(at + 1)]
  return kind === 'agent' ? { agent: id } : kind === 'queue' ? { queue: id } : { number: id }
}
