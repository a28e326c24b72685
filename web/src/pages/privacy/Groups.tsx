// What is known of a person, in groups; each call and entry can be selected.
import { Checkbox, Table } from '@mantine/core'
import type { ReactNode } from 'react'

import type { Found } from '../../api/admin'
import { useDesk } from '../../app/hooks'
import { address } from '../../app/route'
import { Badge, Card } from '../../kit'
import { may } from '../../logic/mine'
import { toggled, toggledAll, type Picked } from '../../logic/selection'
import { useTexts } from '../../texts'
import { usePrivacyWords } from '../../texts/admin/privacy'
import { useRecordsWords } from '../../texts/admin/records'
import { Id, StateBadge } from '../records/shared'

interface GroupColumn<T> { label: string; cell(row: T): ReactNode }

export function Groups({ found, picked, onPick }: { found: Found; picked: Picked; onPick(picked: Picked): void }) {
  const t = useTexts()
  const words = usePrivacyWords()
  const records = useRecordsWords()
  const { session } = useDesk()
  const callLink = (id: string) => (may(session, 'view-calls') ? <a href={address('all-calls', [id])}><Id id={id} /></a> : <Id id={id} />)
  const calls = { ids: picked.calls, set: (calls: Set<string>) => { onPick({ ...picked, calls }) } }
  return (
    <div className="stack">
      <Group name={words.groups.calls} of={found.calls} id={({ id }) => id} say={({ arrivedAt }) => t.format.moment(arrivedAt)} picked={calls} columns={[
        { label: words.arrived, cell: ({ arrivedAt }) => t.format.moment(arrivedAt) },
        { label: words.caller, cell: ({ caller, anonymised, restricted }) => (
          <span className="badges">{!anonymised && (caller ?? words.withheld)}{anonymised && <Badge tone="plain">{words.anonymised}</Badge>}{restricted && <Badge tone="warn">{words.restricted}</Badge>}</span>
        ) },
        { label: words.queue, cell: ({ queue }) => queue },
        { label: words.agent, cell: ({ agent }) => agent ?? words.none },
        { label: words.groups.recordings, cell: ({ recordings }) => recordings },
        { label: words.open, cell: ({ id }) => callLink(id) },
      ]} />
      <Group name={words.groups.recordings} of={found.recordings} id={({ call }) => call} say={({ at }) => t.format.moment(at)} note={words.recordingsFollow} picked={calls} columns={[
        { label: words.time, cell: ({ at }) => t.format.moment(at) },
        { label: words.state, cell: ({ state }) => <StateBadge state={state} /> },
        { label: words.call, cell: ({ call }) => callLink(call) },
        { label: words.open, cell: ({ id }) => (may(session, 'listen-recordings') ? <a href={address('recordings', [id])}><Id id={id} /></a> : <Id id={id} />) },
      ]} />
      <Group name={words.groups.consents} of={found.consents} id={({ call }) => call} say={({ at }) => t.format.moment(at)} picked={calls} columns={[
        { label: words.time, cell: ({ at }) => t.format.moment(at) },
        { label: words.caller, cell: ({ caller }) => caller ?? words.withheld },
        { label: words.queue, cell: ({ queue }) => queue },
        { label: words.answer, cell: ({ answer, agreed }) => <Badge tone={agreed ? 'good' : 'warn'}>{records.answers[answer] ?? answer}</Badge> },
        { label: words.call, cell: ({ call }) => callLink(call) },
      ]} />
      <Group name={words.groups.entries} of={found.entries} id={({ id }) => id} say={({ name }) => name}
        picked={{ ids: picked.entries, set: (entries) => { onPick({ ...picked, entries }) } }} columns={[
          { label: words.list, cell: ({ list }) => list }, { label: words.name, cell: ({ name }) => name },
          { label: words.number, cell: ({ number }) => number ?? words.none }, { label: words.email, cell: ({ email }) => email ?? words.none },
          { label: words.note, cell: ({ note }) => note ?? words.none },
        ]} />
    </div>
  )
}

function Group<T>({ name, of, id, say, note, picked, columns }: {
  name: string; of: { total: number; items: T[] }; id(row: T): string; say(row: T): string; note?: string
  picked: { ids: Set<string>; set(ids: Set<string>): void }; columns: GroupColumn<T>[]
}) {
  const words = usePrivacyWords()
  if (of.total === 0) return null
  const ids = [...new Set(of.items.map(id))]
  const count = ids.filter((one) => picked.ids.has(one)).length
  return (
    <Card label={name}>
      <details open={of.total <= 20}>
        <summary className="group-head">
          <h2>{name}</h2><span className="soft">{words.first(of.items.length, of.total)}</span>
        </summary>
        {note && <p className="soft">{note}</p>}
        <div className="scroll" role="group" aria-label={name} tabIndex={0} style={{ maxHeight: 420, overflowY: 'auto' }}>
          <Table className="plain" stickyHeader>
            <Table.Thead><Table.Tr>
              <Table.Th style={{ width: 40 }}>
                <Checkbox aria-label={words.all(name)} checked={count === ids.length} indeterminate={count > 0 && count < ids.length}
                  onChange={() => { picked.set(toggledAll(picked.ids, ids)) }} />
              </Table.Th>
              {columns.map(({ label }) => <Table.Th key={label}>{label}</Table.Th>)}
            </Table.Tr></Table.Thead>
            <Table.Tbody>
              {of.items.map((row, n) => (
                <Table.Tr key={`${id(row)}-${n}`}>
                  <Table.Td><Checkbox aria-label={words.one(`${name}, ${say(row)}`)} checked={picked.ids.has(id(row))} onChange={() => { picked.set(toggled(picked.ids, id(row))) }} /></Table.Td>
                  {columns.map(({ label, cell }) => <Table.Td key={label}>{cell(row)}</Table.Td>)}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      </details>
    </Card>
  )
}
