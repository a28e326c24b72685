// Retention: the rules in force, how they stand, and changing them after a look at what would happen.
import { Tabs } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'

import type { RetentionView } from '../../api/admin'
import { request } from '../../api/client'
import { useDesk } from '../../app/hooks'
import { useQueryPart } from '../../app/route'
import { Badge, Card, Chart, LocalTable, PageFrame } from '../../kit'
import { may } from '../../logic/mine'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useRecordsWords } from '../../texts/admin/records'
import { useRetentionWords } from '../../texts/admin/retention'
import { HoldButton } from '../holds/HoldForm'
import { HoldList } from '../holds/HoldList'
import { Read } from '../records/shared'

import { ChangeRules } from './ChangeRules'
import { lagWords, useKeepWords } from './words'

/** Behind by more than this, s, is worth a colour: the sweeper runs every few minutes. */
const LATE = 3600

export default function Retention() {
  const words = useRetentionWords()
  const records = useRecordsWords()
  const { session } = useDesk()
  const [{ tab }, change] = useQueryPart()
  const tabs = (['rules', 'change', 'holds'] as const).filter((one) => one !== 'holds' || may(session, 'manage-holds'))
  const shown = tabs.find((one) => one === tab) ?? 'rules'
  const { data, error, refetch } = useQuery({ queryKey: ['retention'], queryFn: () => request<RetentionView>('GET', '/retention'), staleTime: 0 })
  return (
    <PageFrame title={words.title} lead={words.lead} tools={shown === 'holds' && <HoldButton label={records.holds.add} />}>
      <Tabs value={shown} onChange={(value) => { change({ tab: value }) }} keepMounted={false}>
        <Tabs.List>{tabs.map((one) => <Tabs.Tab key={one} value={one}>{words.tabs[one]}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="rules" pt="md"><Read data={data} error={error}>{(view) => <InForce view={view} onRefresh={() => { void refetch() }} />}</Read></Tabs.Panel>
        <Tabs.Panel value="change" pt="md"><Read data={data} error={error}>{(view) => <ChangeRules view={view} />}</Read></Tabs.Panel>
        <Tabs.Panel value="holds" pt="md"><Card label={words.tabs.holds}><HoldList /></Card></Tabs.Panel>
      </Tabs>
    </PageFrame>
  )
}

function InForce({ view, onRefresh }: { view: RetentionView; onRefresh(): void }) {
  const t = useTexts()
  const words = useRetentionWords()
  const kit = useKitWords()
  const keep = useKeepWords()
  const figure = (name: string, value: string, tone?: 'bad') => (
    <div key={name} className="figure"><div className={`big numbers ${tone ?? ''}`}>{value}</div><div className="small">{name}</div></div>
  )
  return (
    <div className="stack">
      <Card title={words.status}>
        <div className="figures">
          {figure(words.lag, view.lagSeconds > 0 ? lagWords(kit.units, view.lagSeconds) : words.noLag, view.lagSeconds > LATE ? 'bad' : undefined)}
          {figure(words.due, t.format.figure(view.due))}
          {figure(words.removedToday, t.format.figure(view.removedToday))}
          {figure(words.held, t.format.figure(view.held))}
          {figure(words.lastRun, view.lastRun ? t.format.moment(view.lastRun) : words.never)}
        </div>
      </Card>
      <Card title={words.rules}>
        <LocalTable<RetentionView['rules'][number]> label={words.rules} file="retention" rows={view.rules} onRefresh={onRefresh} rowKey={({ queue }) => queue ?? ''} columns={[
          { key: 'queue', label: words.whose, cell: ({ queue }) => (queue === null ? <strong>{words.system}</strong> : queue), value: ({ queue }) => queue ?? words.system },
          { key: 'calls', label: words.calls, nowrap: true, cell: ({ calls }) => keep(calls), value: ({ calls }) => calls },
          { key: 'recordings', label: words.recordings, nowrap: true, cell: ({ recordings }) => keep(recordings), value: ({ recordings }) => recordings },
          { key: 'from', label: words.from, cell: ({ queue, from }) => queue !== null && <Badge tone={from === 'queue' ? 'good' : 'plain'}>{from === 'queue' ? words.own : words.inherited}</Badge> },
          { key: 'sentence', label: words.sentence, cell: ({ sentence }) => sentence, value: ({ sentence }) => sentence },
        ]} />
        <p className="soft" style={{ marginTop: 10 }}>{words.reportingLead(keep(view.reporting))}</p>
      </Card>
      <Card label={words.timeline}><Timeline days={view.timeline} title={words.timeline} /></Card>
    </div>
  )
}

export function Timeline({ days, title }: { days: RetentionView['timeline']; title: string }) {
  const t = useTexts()
  const words = useRetentionWords()
  if (days.every(({ recordings, calls }) => recordings === 0 && calls === 0)) return <p className="soft">{words.noTimeline}</p>
  return (
    <Chart title={title} kind="bars" labels={days.map(({ day }) => day.slice(5))} format={(n) => t.format.figure(n)} series={[
      { name: words.timelineRecordings, values: days.map(({ recordings }) => recordings) },
      { name: words.timelineCalls, values: days.map(({ calls }) => calls), colour: 'var(--chart-4)' },
    ]} />
  )
}
