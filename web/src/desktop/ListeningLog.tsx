import { SegmentedControl, Table } from '@mantine/core'
import { useState } from 'react'

import { api } from '../api/client'
import type { Listening } from '../api/types'
import { useDesk } from '../app/hooks'
import { may } from '../logic/mine'
import { useTexts } from '../texts'

import { Paged } from './paged'

/** Who listened to what: one's own entries, and everybody's with the right to see them. */
export function ListeningLog() {
  const t = useTexts()
  const { session } = useDesk()
  const [whose, setWhose] = useState<'own' | 'all'>('own')
  return (
    <section className="card" aria-label={t.listening.title}>
      <div className="apart">
        <h1>{t.listening.title}</h1>
        {may(session, 'view-listening-logs') && (
          <SegmentedControl aria-label={t.listening.title} value={whose} onChange={(value) => { setWhose(value as 'own' | 'all') }}
            data={[{ value: 'own', label: t.listening.own }, { value: 'all', label: t.listening.all }]} />
        )}
      </div>
      <p className="soft" style={{ margin: '4px 0 12px' }}>{t.listening.lead}</p>
      <Paged key={whose} name={`listening-${whose}`} fetch={whose === 'own' ? api.myListening : api.allListening}
        none={t.listening.none} rows={(items) => <Entries items={items} />} />
    </section>
  )
}

function Entries({ items }: { items: Listening[] }) {
  const t = useTexts()
  return (
    <Table className="plain">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t.listening.at}</Table.Th><Table.Th>{t.listening.who}</Table.Th><Table.Th>{t.listening.what}</Table.Th>
          <Table.Th>{t.listening.call}</Table.Th><Table.Th>{t.listening.reason}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {items.map((entry, at) => (
          <Table.Tr key={`${entry.at}-${at}`}>
            <Table.Td style={{ whiteSpace: 'nowrap' }}>{t.format.moment(entry.at)}</Table.Td>
            <Table.Td>{entry.who}</Table.Td>
            <Table.Td>{t.listening.kinds[entry.kind]}{entry.mode ? `: ${t.listening.modes[entry.mode]}` : ''}</Table.Td>
            <Table.Td>{entry.call ?? entry.recording ?? t.quality.none}</Table.Td>
            <Table.Td>{entry.reason ?? t.quality.none}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}
