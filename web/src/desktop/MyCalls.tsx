import { Button, Modal, Stack, Table } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { api } from '../api/client'
import type { PastCall } from '../api/types'
import { clock } from '../logic/time'
import { useTexts, type Texts } from '../texts'
import { Icon } from '../ui/icons'

import { NoteForm } from './Notes'
import { Paged } from './paged'

/** The agent's own calls, the latest first: were they recorded and why, and what was noted. */
export function MyCalls() {
  const t = useTexts()
  const queries = useQueryClient()
  const [open, setOpen] = useState<PastCall | null>(null)
  return (
    <section className="card" aria-label={t.calls.title}>
      <h1 style={{ marginBottom: 12 }}>{t.calls.title}</h1>
      <Paged name="calls" fetch={api.myCalls} none={t.calls.none} rows={(items) => <Calls items={items} onOpen={setOpen} />} />
      <Modal opened={open !== null} onClose={() => { setOpen(null) }} title={open && t.calls.details(t.format.moment(open.arrivedAt))}
        closeButtonProps={{ 'aria-label': t.common.close }}>
        {open && <Details call={open} onSaved={() => {
          setOpen(null)
          void queries.invalidateQueries({ queryKey: ['calls'] })
        }} />}
      </Modal>
    </section>
  )
}

function Calls({ items, onOpen }: { items: PastCall[]; onOpen(call: PastCall): void }) {
  const t = useTexts()
  return (
    <Table className="plain" highlightOnHover>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t.calls.time}</Table.Th><Table.Th>{t.calls.queue}</Table.Th><Table.Th>{t.calls.caller}</Table.Th>
          <Table.Th ta="right">{t.calls.length}</Table.Th><Table.Th>{t.calls.basis}</Table.Th><Table.Th>{t.calls.notes}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {items.map((call) => (
          <Table.Tr key={call.id}>
            <Table.Td style={{ whiteSpace: 'nowrap' }}>{t.format.moment(call.arrivedAt)}</Table.Td>
            <Table.Td>{call.queue}</Table.Td>
            <Table.Td style={{ whiteSpace: 'nowrap' }}>{call.caller ?? t.common.withheld}</Table.Td>
            <Table.Td ta="right">{length(t, call)}</Table.Td>
            <Table.Td>{recorded(t, call)}</Table.Td>
            <Table.Td>
              <Button size="compact-sm" variant="subtle" onClick={() => { onOpen(call) }} leftSection={<Icon name="note" size={16} />}>
                {call.notes.length}<span className="hidden">, {t.calls.details(t.format.moment(call.arrivedAt))}</span>
              </Button>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}

function Details({ call, onSaved }: { call: PastCall; onSaved(): void }) {
  const t = useTexts()
  return (
    <Stack>
      <p>{call.queue} · {call.caller ?? t.common.withheld} · {length(t, call)}<br />{recorded(t, call)}</p>
      {call.notes.map((note) => (
        <div key={note.at + note.by}>
          <div className="soft">{t.format.moment(note.at)}, {note.by}</div>
          <div style={{ whiteSpace: 'pre-wrap' }}>{note.text}</div>
        </div>
      ))}
      <h3>{t.calls.addNote}</h3>
      <NoteForm call={call.id} onSaved={onSaved} />
    </Stack>
  )
}

function length(t: Texts, { connectedAt, endedAt }: PastCall): string {
  if (!connectedAt || !endedAt) return t.calls.missed
  return clock((Date.parse(endedAt) - Date.parse(connectedAt)) / 1000)
}

function recorded(t: Texts, { recordings, why: { basis, detail } }: PastCall): string {
  const word = recordings.length > 0 ? t.calls.recorded : t.calls.notRecorded
  if (!basis) return word
  return `${word}: ${t.calls.bases[basis] ?? basis}${detail ? ` (${detail})` : ''}`
}
