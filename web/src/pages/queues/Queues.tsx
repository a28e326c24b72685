// Queues: the list, and the editor whose preview says at once what the rules would do.
import { Tabs } from '@mantine/core'
import { useMemo } from 'react'

import type { Named, QueueDocument } from '../../api/admin'
import { useDesk } from '../../app/hooks'
import { useQueryPart } from '../../app/route'
import { Badge, SettingsPage, spanWords, useNames, type Column, type FormProps } from '../../kit'
import { may } from '../../logic/mine'
import { useKitWords } from '../../texts/admin/kit'
import { useQueuesWords } from '../../texts/admin/queues'

import { Distribution } from './Distribution'
import { ClosedField, HoursField } from './Hours'
import { hoursWords } from './hours'
import { Policy } from './Policy'
import { Preview } from './Preview'
import { WhereTo } from './WhereTo'

const FRESH: QueueDocument = { recording: 'consent' }

export default function Queues({ parts }: { parts: string[] }) {
  const words = useQueuesWords()
  const kit = useKitWords()
  const { session } = useDesk()
  const columns = useMemo((): Column<Named<QueueDocument>>[] => {
    const kept = (keep: string | undefined) => (keep === undefined ? kit.form.none : keep === 'forever' ? kit.form.forever : spanWords(kit.units, keep))
    const recording = ({ document }: Named<QueueDocument>) => words.recordings[document.recording ?? 'consent']
    return [
      { key: 'recording', label: words.names.recording, value: recording,
        cell: (row) => <Badge tone={row.document.recording === 'never' ? 'plain' : row.document.recording === 'always' ? 'warn' : 'good'}>{recording(row)}</Badge> },
      { key: 'retention', label: words.names.retention, value: (row) => row.document.retention ?? null, cell: (row) => kept(row.document.retention) },
      { key: 'file-removal', label: words.names['file-removal'], value: (row) => row.document['file-removal'] ?? null, cell: (row) => kept(row.document['file-removal']) },
      { key: 'strategy', label: words.names.strategy, value: (row) => words.strategies[row.document.strategy ?? 'longest-idle'],
        cell: (row) => words.strategies[row.document.strategy ?? 'longest-idle'] },
      { key: 'hours', label: words.names.hours, value: (row) => (row.document.hours ? hoursWords(row.document.hours, words.short) : words.always24),
        cell: (row) => (row.document.hours ? hoursWords(row.document.hours, words.short) || words.never : words.always24) },
    ]
  }, [words, kit])
  const filters = useMemo(() => [{ kind: 'choice' as const, name: 'recording', label: words.names.recording,
    options: Object.entries(words.recordings).map(([value, label]) => ({ value, label })) }], [words])
  return (
    <SettingsPage<QueueDocument> kind="queues" parts={parts} title={words.title} lead={words.lead} add={words.add} empty={words.empty} columns={columns}
      filters={filters} fits={(row, _, value) => (row.document.recording ?? 'consent') === value} fresh={FRESH} names={words.names}
      mayChange={may(session, 'configure-queues') || may(session, 'configure-recording')} Form={Editor} />
  )
}

const TABS = ['policy', 'distribution', 'hours'] as const

function Editor({ of, draft, name }: FormProps<QueueDocument>) {
  const words = useQueuesWords()
  const { session } = useDesk()
  const [query, change] = useQueryPart()
  const [mayRecord, mayQueue] = [may(session, 'configure-recording'), may(session, 'configure-queues')]
  const tab = TABS.find((one) => one === query.tab) ?? (mayRecord ? 'policy' : 'distribution')
  const queues = useNames('queues').filter((one) => one !== name)
  const note = (allowed: boolean, what: string) => !allowed && <p className="soft">{what}</p>
  return (
    <div className="editor">
      <Tabs value={tab} onChange={(next) => { change({ tab: next }) }} keepMounted={false}>
        <Tabs.List mb="md">{TABS.map((one) => <Tabs.Tab key={one} value={one}>{words[one]}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="policy">
          {note(mayRecord, words.onlyRecording)}
          <fieldset className="bare" disabled={!mayRecord}><Policy of={of} draft={draft} name={name} /></fieldset>
        </Tabs.Panel>
        <Tabs.Panel value="distribution">
          {note(mayQueue, words.onlyQueues)}
          <fieldset className="bare" disabled={!mayQueue}><Distribution of={of} draft={draft} queues={queues} /></fieldset>
        </Tabs.Panel>
        <Tabs.Panel value="hours">
          {note(mayQueue, words.onlyQueues)}
          <fieldset className="bare stack" disabled={!mayQueue}>
            <HoursField value={draft.hours} onChange={(hours) => { of.change({ hours }) }} />
            <ClosedField value={draft.closed} error={of.wrong('closed')} onChange={(closed) => { of.change({ closed }) }} />
            <WhereTo label={words.names['when-closed']} hangup={words.ends.closedHangup} value={draft['when-closed']} queues={queues} error={of.wrong('when-closed')}
              onChange={(end) => { of.change({ 'when-closed': end }) }} />
          </fieldset>
        </Tabs.Panel>
      </Tabs>
      <Preview name={name} draft={draft} />
    </div>
  )
}
