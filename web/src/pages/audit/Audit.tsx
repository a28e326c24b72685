// The audit log: rows with old and new values, whether the chain is whole, and where its head is anchored.
import { Button, Modal, Tabs } from '@mantine/core'
import { useState } from 'react'

import type { AuditRow } from '../../api/admin'
import { useQueryPart } from '../../app/route'
import { Badge, Card, Facts, PageFrame, ServerTable, type Filter } from '../../kit'
import { asked } from '../../kit/filters'
import { useTexts } from '../../texts'
import { useAuditWords, type Words } from '../../texts/admin/audit'
import { useKitWords } from '../../texts/admin/kit'
import { useDayFilters } from '../records/shared'

import { Anchors } from './Anchors'
import { Verify } from './Verify'

export default function Audit() {
  const words = useAuditWords()
  const [{ tab }, change] = useQueryPart()
  const tabs = ['rows', 'whole', 'anchors'] as const
  const shown = tabs.find((one) => one === tab) ?? 'rows'
  return (
    <PageFrame title={words.title} lead={words.lead}>
      <Tabs value={shown} onChange={(value) => { change({ tab: value }) }} keepMounted={false}>
        <Tabs.List>{tabs.map((one) => <Tabs.Tab key={one} value={one}>{words.tabs[one]}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="rows" pt="md"><Rows /></Tabs.Panel>
        <Tabs.Panel value="whole" pt="md"><Verify /></Tabs.Panel>
        <Tabs.Panel value="anchors" pt="md"><Anchors /></Tabs.Panel>
      </Tabs>
    </PageFrame>
  )
}

function Rows() {
  const t = useTexts()
  const words = useAuditWords()
  const kit = useKitWords()
  const [query] = useQueryPart()
  const [open, setOpen] = useState<AuditRow | null>(null)
  const filters: Filter[] = [
    { kind: 'choice', name: 'class', label: words.class, options: Object.entries(words.classes).map(([value, label]) => ({ value, label })) },
    ...useDayFilters(words),
    { kind: 'text', name: 'actor', label: words.actor },
    { kind: 'text', name: 'action', label: words.action },
    { kind: 'text', name: 'object', label: words.object, hint: words.objectHint },
    { kind: 'text', name: 'q', label: words.q },
  ]
  const seq = (row: AuditRow) => t.format.figure(row.seq)
  return (
    <Card label={words.tabs.rows}>
      <ServerTable<AuditRow> path="/audit" label={words.title} filters={filters} empty={words.none} rowKey={({ seq }) => String(seq)}
        tools={<Button component="a" size="xs" variant="default" href={`/api/v1/audit/export${asked(filters, query)}`} download title={words.exportLead}>{words.export}</Button>} columns={[
          { key: 'seq', label: words.seq, right: true, cell: (row) => (
            <button type="button" className="linkish numbers" aria-label={words.openRow(seq(row))} onClick={() => { setOpen(row) }}>{seq(row)}</button>
          ) },
          { key: 'at', label: words.at, time: true, nowrap: true, cell: ({ at }) => t.format.seconds(at) },
          { key: 'class', label: words.class, cell: (row) => <Badge tone={row.class === 'failure' ? 'bad' : 'plain'}>{words.classes[row.class] ?? row.class}</Badge> },
          { key: 'actor', label: words.actor, cell: ({ actor }) => actor },
          { key: 'action', label: words.action, cell: ({ action }) => <code>{action}</code> },
          { key: 'object', label: words.object, cell: ({ object }) => objectWords(object) },
          { key: 'change', label: words.change, cell: (row) => <Change words={words} row={row} /> },
        ]} />
      <Modal opened={open !== null} onClose={() => { setOpen(null) }} size="xl" title={open && words.detail(seq(open))} closeButtonProps={{ 'aria-label': kit.form.close }}>
        {open && <Detail row={open} />}
      </Modal>
    </Card>
  )
}

export const objectWords = ({ kind, id, attribute }: AuditRow['object']) => `${kind} ${id}${attribute ? ` · ${attribute}` : ''}`

const SHOWN = 80
const short = (text: string) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)

function Change({ words, row }: { words: Words; row: AuditRow }) {
  if (row.erased) return <span className="soft" title={words.erasedHint}>{words.erased}</span>
  if (row.old === null && row.new === null) return <>{words.none_}</>
  return (
    <span className="old-new">
      {row.old !== null && <del><span className="hidden">{words.was}: </span>{short(row.old)}</del>}
      <span aria-hidden="true">→</span>
      {row.new !== null ? <ins><span className="hidden">{words.becomes}: </span>{short(row.new)}</ins> : <span className="soft">{words.unset}</span>}
    </span>
  )
}

function Detail({ row }: { row: AuditRow }) {
  const t = useTexts()
  const words = useAuditWords()
  const value = (of: string | null) => (row.erased ? <span className="soft">{words.erased}</span> : of === null ? <span className="soft">{words.unset}</span> : <span className="free">{of}</span>)
  return (
    <div className="stack">
      <Facts of={[
        [words.at, t.format.seconds(row.at)], [words.class, words.classes[row.class] ?? row.class], [words.actor, row.actor], [words.action, <code key="action">{row.action}</code>],
        [words.object, objectWords(row.object)], [words.about, row.about ?? words.none_],
      ]} />
      <div className="change"><strong>{words.was}</strong>{value(row.old)}<strong>{words.becomes}</strong>{value(row.new)}</div>
      {row.erased && <p className="soft">{words.erasedHint}</p>}
    </div>
  )
}
