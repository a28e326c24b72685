// What reports share: period, queue and grouping in the address; figures as a table with their total.
import { Button, NativeSelect, Table, TextInput } from '@mantine/core'
import type { ReactNode } from 'react'

import { useQueryPart } from '../../app/route'
import { asked } from '../../kit/filters'
import { daysBack } from '../../logic/days'
import { useKitWords } from '../../texts/admin/kit'
import { useRecordsWords } from '../../texts/admin/records'
import { useQueueFilter } from '../records/shared'

const USUAL_DAYS = 30

/** The query of the report as it was chosen: the last 30 days by day, if nothing was. */
export function useReport<By extends string>(ways: readonly [By, ...By[]], names: Record<By, string>) {
  const words = useRecordsWords()
  const [query, change] = useQueryPart()
  const queue = useQueueFilter(words.queue)
  const by = ways.find((one) => one === query.by) ?? ways[0]
  const since = query.since ?? daysBack(new Date(), USUAL_DAYS - 1)
  const ask = asked([
    { kind: 'day', name: 'since', label: '' }, { kind: 'day', name: 'until', label: '', end: true }, { kind: 'text', name: 'queue', label: '' },
  ], { since, until: query.until ?? '', queue: query.queue ?? '' }, { by })
  const fields = (
    <>
      <TextInput size="xs" type="date" label={words.since} value={since} onChange={(event) => { change({ since: event.currentTarget.value }) }} />
      <TextInput size="xs" type="date" label={words.until} value={query.until ?? ''} onChange={(event) => { change({ until: event.currentTarget.value }) }} />
      {queue.kind === 'choice'
        ? <NativeSelect size="xs" label={words.queue} value={query.queue ?? ''} onChange={(event) => { change({ queue: event.currentTarget.value }) }}
            data={[{ value: '', label: words.anything }, ...queue.options]} />
        : <TextInput size="xs" label={words.queue} value={query.queue ?? ''} onChange={(event) => { change({ queue: event.currentTarget.value }) }} />}
      <NativeSelect size="xs" label={words.reports.by} value={by} onChange={(event) => { change({ by: event.currentTarget.value }) }}
        data={ways.map((value) => ({ value, label: names[value] }))} />
    </>
  )
  return { ask, by, fields }
}

export function ReportFilters({ fields, csv }: { fields: ReactNode; csv: string }) {
  const kit = useKitWords()
  return (
    <div className="list-tools">
      <div className="list-filters" role="search" aria-label={kit.table.filters}>{fields}</div>
      <div className="row list-end">
        <Button component="a" variant="default" size="xs" download href={`/api/v1${csv}&format=csv`}>{kit.table.csv}</Button>
      </div>
    </div>
  )
}

/** A row's key as people read it: a question is its SHA-256, a day its date without the year. */
export function keyWords(key: string, by: string): string {
  if (by === 'question') return key.length > 12 ? `${key.slice(0, 10)}…` : key
  return by === 'day' ? key.slice(5) : key
}

export function FigureTable<T extends { key: string }>({ label, head, by, rows, total, columns }: {
  label: string; head: string; by: string; rows: T[]; total: T; columns: [string, (row: T) => ReactNode][]
}) {
  const line = (row: T, name: string) => (
    <>
      <Table.Th scope="row" title={row.key}>{name}</Table.Th>
      {columns.map(([column, cell]) => <Table.Td key={column} ta="right">{cell(row)}</Table.Td>)}
    </>
  )
  return (
    <div className="scroll" role="group" aria-label={label} tabIndex={0} style={{ marginTop: 16, maxHeight: 640, overflowY: 'auto' }}>
      <Table className="plain" stickyHeader verticalSpacing={5}>
        <Table.Thead><Table.Tr><Table.Th>{head}</Table.Th>{columns.map(([column]) => <Table.Th key={column} ta="right">{column}</Table.Th>)}</Table.Tr></Table.Thead>
        <Table.Tbody>{rows.map((row) => <Table.Tr key={row.key}>{line(row, by === 'question' ? keyWords(row.key, by) : row.key)}</Table.Tr>)}</Table.Tbody>
        <Table.Tfoot><Table.Tr>{line(total, total.key)}</Table.Tr></Table.Tfoot>
      </Table>
    </div>
  )
}
