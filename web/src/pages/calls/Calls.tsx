// Past calls: which there were, and all that is known of one.
import type { Call } from '../../api/admin'
import { useDesk } from '../../app/hooks'
import { address } from '../../app/route'
import { Badge, Card, PageFrame, ServerTable, type Filter } from '../../kit'
import { may } from '../../logic/mine'
import { clock } from '../../logic/time'
import { useTexts } from '../../texts'
import { useRecordsWords, type Words } from '../../texts/admin/records'
import { basisWords, useDayFilters, useQueueFilter } from '../records/shared'

import { CallPage } from './CallPage'

export default function Calls({ parts }: { parts: string[] }) {
  return parts[0] ? <CallPage key={parts[0]} id={parts[0]} /> : <List />
}

function List() {
  const t = useTexts()
  const words = useRecordsWords()
  const { session } = useDesk()
  const days = useDayFilters(words)
  const queue = useQueueFilter(words.queue)
  const states = (['running', 'ended', 'abandoned', 'restricted'] as const).filter((state) => state !== 'restricted' || may(session, 'dpo'))
  const filters: Filter[] = [
    ...days, queue,
    { kind: 'text', name: 'agent', label: words.agent },
    { kind: 'text', name: 'number', label: words.number, hint: words.numberHint },
    { kind: 'choice', name: 'state', label: words.calls.state, options: states.map((state) => ({ value: state, label: words.calls.stateOf[state] })) },
    { kind: 'text', name: 'q', label: words.search, hint: words.calls.searchHint },
  ]
  return (
    <PageFrame title={words.calls.title} lead={words.calls.lead}>
      <Card label={words.calls.title}>
        <ServerTable<Call> path="/calls" label={words.calls.title} filters={filters} rowKey={({ id }) => id} empty={words.calls.none} columns={[
          { key: 'arrived', label: words.calls.arrived, time: true, nowrap: true, cell: (call) => (
            <a href={address('all-calls', [call.id])} aria-label={words.calls.openCall(t.format.moment(call.arrivedAt))}>{t.format.moment(call.arrivedAt)}</a>
          ) },
          { key: 'queue', label: words.queue, cell: (call) => (call.queue === call.firstQueue ? call.queue : `${call.firstQueue} → ${call.queue}`) },
          { key: 'caller', label: words.calls.caller, nowrap: true, cell: (call) => callerOf(words, call) },
          { key: 'agent', label: words.agent, cell: (call) => call.agent ?? words.none },
          { key: 'length', label: words.calls.length, right: true, cell: (call) => lengthOf(words, call) },
          { key: 'end', label: words.calls.end, cell: (call) => (call.endCause ? words.causes[call.endCause] ?? call.endCause : words.none) },
          { key: 'basis', label: words.calls.basis, cell: (call) => basisWords(words, call.basis, call.basisDetail, t.format.moment) },
          { key: 'recordings', label: words.calls.recordings, right: true, cell: (call) => call.recordings },
        ]} />
      </Card>
    </PageFrame>
  )
}

export function callerOf(words: Words, call: Call) {
  return (
    <span className="badges">
      {!call.anonymised && (call.caller ?? <span className="soft">{words.withheld}</span>)}
      {call.anonymised && <Badge tone="plain">{words.anonymised}</Badge>}
      {call.restricted && <Badge tone="warn">{words.restricted}</Badge>}
    </span>
  )
}

export function lengthOf(words: Words, { connectedAt, endedAt }: Call): string {
  if (!endedAt) return words.calls.running
  return connectedAt ? clock((Date.parse(endedAt) - Date.parse(connectedAt)) / 1000) : words.calls.notConnected
}
