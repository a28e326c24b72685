// Recordings: which there are and what became of them, and one with its player, its reasons and its end.
import type { Recording } from '../../api/types'
import { useDesk } from '../../app/hooks'
import { address } from '../../app/route'
import { Badge, Card, PageFrame, ServerTable, type Filter } from '../../kit'
import { may } from '../../logic/mine'
import { clock } from '../../logic/time'
import { useTexts } from '../../texts'
import { useRecordsWords } from '../../texts/admin/records'
import { basisWords, Id, StateBadge, useDayFilters, useMoment, useQueueFilter } from '../records/shared'

import { RecordingPage } from './RecordingPage'

export default function Recordings({ parts }: { parts: string[] }) {
  return parts[0] ? <RecordingPage key={parts[0]} id={parts[0]} /> : <List />
}

function List() {
  const t = useTexts()
  const words = useRecordsWords()
  const moment = useMoment()
  const { session } = useDesk()
  const filters: Filter[] = [
    ...useDayFilters(words), useQueueFilter(words.queue),
    { kind: 'text', name: 'agent', label: words.agent },
    { kind: 'choice', name: 'state', label: words.recordings.state, options: Object.entries(words.states).map(([value, label]) => ({ value, label })) },
    { kind: 'choice', name: 'hold', label: words.recordings.holdFilter, options: [{ value: 'true', label: words.recordings.heldOnly }] },
    { kind: 'text', name: 'call', label: words.recordings.call },
  ]
  return (
    <PageFrame title={words.recordings.title} lead={words.recordings.lead}>
      <Card label={words.recordings.title}>
        <ServerTable<Recording> path="/recordings" label={words.recordings.title} filters={filters} rowKey={({ id }) => id} empty={words.recordings.none} columns={[
          { key: 'begins', label: words.recordings.begins, time: true, nowrap: true, cell: ({ id, startedAt, armedAt }) => (
            <a href={address('recordings', [id])} aria-label={words.recordings.openRecording(t.format.moment(startedAt ?? armedAt))}>{t.format.moment(startedAt ?? armedAt)}</a>
          ) },
          { key: 'queue', label: words.queue, cell: ({ queue }) => queue },
          { key: 'agent', label: words.agent, cell: ({ agent }) => agent ?? words.none },
          { key: 'length', label: words.recordings.length, right: true, cell: ({ seconds }) => (seconds === null ? words.none : clock(seconds)) },
          { key: 'state', label: words.recordings.state, cell: ({ state, hold, restricted }) => (
            <span className="badges"><StateBadge state={state} />{hold && <Badge tone="warn">{words.recordings.onHold}</Badge>}
              {restricted && <Badge tone="warn">{words.restricted}</Badge>}</span>
          ) },
          { key: 'basis', label: words.recordings.basis, cell: ({ basis, basisDetail }) => basisWords(words, basis, basisDetail, t.format.moment) },
          { key: 'removes', label: words.recordings.removes, nowrap: true, cell: ({ removedAt, destroyedAt, removesAt, state, hold }) => (
            removedAt ?? destroyedAt ? moment(removedAt ?? destroyedAt) : state === 'stored' && (hold ? words.recordings.onHold : removesAt ? t.format.date(removesAt) : words.recordings.never)
          ) },
          { key: 'call', label: words.recordings.call, cell: ({ call }) => (may(session, 'view-calls') ? <a href={address('all-calls', [call])}><Id id={call} /></a> : <Id id={call} />) },
        ]} />
      </Card>
    </PageFrame>
  )
}
