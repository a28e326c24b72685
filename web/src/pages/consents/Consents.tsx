// Consents: every answer, figures of them, and the customer's rights: export, withdrawal, a new question.
import { Tabs } from '@mantine/core'

import type { Consent } from '../../api/admin'
import { useDesk } from '../../app/hooks'
import { address, useQueryPart } from '../../app/route'
import { Badge, Card, PageFrame, ServerTable, type Filter } from '../../kit'
import { may } from '../../logic/mine'
import { useTexts } from '../../texts'
import { useRecordsWords } from '../../texts/admin/records'
import { Id, useDayFilters, useQueueFilter } from '../records/shared'

import { ConsentRights } from './ConsentRights'
import { ConsentStatistics } from './ConsentStatistics'

export default function Consents() {
  const words = useRecordsWords()
  const { session } = useDesk()
  const [{ tab }, change] = useQueryPart()
  const tabs = (['list', 'chart', 'rights'] as const)
    .filter((one) => may(session, one === 'list' ? 'view-consents' : one === 'chart' ? 'view-reports' : 'customer-consent'))
  const shown = tabs.find((one) => one === tab) ?? tabs[0]
  return (
    <PageFrame title={words.consents.title} lead={words.consents.lead}>
      <Tabs value={shown} onChange={(value) => { change({ tab: value }) }} keepMounted={false}>
        <Tabs.List>{tabs.map((one) => <Tabs.Tab key={one} value={one}>{words.consents.tabs[one]}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="list" pt="md"><List /></Tabs.Panel>
        <Tabs.Panel value="chart" pt="md"><ConsentStatistics /></Tabs.Panel>
        <Tabs.Panel value="rights" pt="md"><ConsentRights /></Tabs.Panel>
      </Tabs>
    </PageFrame>
  )
}

function List() {
  const t = useTexts()
  const words = useRecordsWords()
  const { session } = useDesk()
  const days = useDayFilters(words)
  const filters: Filter[] = [
    ...days, useQueueFilter(words.queue),
    { kind: 'choice', name: 'answer', label: words.consents.answer, options: Object.entries(words.answers).map(([value, label]) => ({ value, label })) },
    { kind: 'text', name: 'number', label: words.number, hint: words.numberHint },
  ]
  return (
    <Card label={words.consents.tabs.list}>
      <ServerTable<Consent> path="/consents" label={words.consents.title} filters={filters} empty={words.consents.none}
        rowKey={(consent) => `${consent.call} ${consent.at}`} columns={[
          { key: 'at', label: words.consents.at, time: true, nowrap: true, cell: ({ at }) => t.format.seconds(at) },
          { key: 'queue', label: words.queue, cell: ({ queue }) => queue },
          { key: 'caller', label: words.consents.caller, nowrap: true, cell: ({ caller }) => caller ?? <span className="soft">{words.withheld}</span> },
          { key: 'answer', label: words.consents.answer, cell: ({ answer, agreed, reset }) => (
            <span className="badges"><Badge tone={agreed ? 'good' : 'warn'}>{words.answers[answer] ?? answer}</Badge>
              {reset && <span title={words.consents.resetHint}><Badge tone="plain">{words.consents.reset}</Badge></span>}</span>
          ) },
          { key: 'key', label: words.consents.key, cell: ({ digit, channel }) => (digit ? `${digit}${channel ? ` (${channel})` : ''}` : words.none) },
          { key: 'language', label: words.consents.language, cell: ({ language }) => language ?? words.none },
          { key: 'question', label: words.consents.question, cell: ({ question }) => (question ? <Id id={question} /> : words.none) },
          { key: 'call', label: words.consents.call, cell: ({ call }) => (may(session, 'view-calls') ? <a href={address('all-calls', [call])}><Id id={call} /></a> : <Id id={call} />) },
        ]} />
    </Card>
  )
}
