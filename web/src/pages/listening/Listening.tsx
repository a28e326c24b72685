// Who listened to what: everybody's entries.
import type { Listening } from '../../api/types'
import { address } from '../../app/route'
import { Card, PageFrame, ServerTable, type Filter } from '../../kit'
import { useTexts } from '../../texts'
import { useRecordsWords } from '../../texts/admin/records'
import { Id, useDayFilters } from '../records/shared'

export default function ListeningPage() {
  const t = useTexts()
  const words = useRecordsWords()
  const filters: Filter[] = [
    ...useDayFilters(words),
    { kind: 'text', name: 'who', label: words.listening.who },
    { kind: 'text', name: 'call', label: words.listening.call },
    { kind: 'text', name: 'recording', label: words.listening.recording },
  ]
  return (
    <PageFrame title={words.listening.title} lead={words.listening.lead}>
      <Card label={words.listening.title}>
        <ServerTable<Listening> path="/listening-log" label={words.listening.title} filters={filters} empty={words.listening.none}
          rowKey={(entry) => `${entry.at} ${entry.who} ${entry.call ?? ''} ${entry.recording ?? ''}`} columns={[
            { key: 'at', label: words.listening.at, time: true, nowrap: true, cell: ({ at }) => t.format.seconds(at) },
            { key: 'who', label: words.listening.who, cell: ({ who }) => who },
            { key: 'what', label: words.listening.what, cell: ({ kind, mode }) => words.listening.kinds[kind] + (mode ? `: ${words.listening.modes[mode]}` : '') },
            { key: 'object', label: words.listening.object, cell: ({ call, recording }) => (
              <span className="badges">
                {recording && <a href={address('recordings', [recording])}>{words.listening.recording} <Id id={recording} /></a>}
                {call && <a href={address('all-calls', [call])}>{words.listening.call} <Id id={call} /></a>}
              </span>
            ) },
            { key: 'reason', label: words.listening.reason, cell: ({ reason }) => <span className="free">{reason ?? words.none}</span> },
          ]} />
      </Card>
    </PageFrame>
  )
}
