// Health: alarms and what to do, nodes, jobs that wait, comparisons of database and store.
import { Alert, Button, Table } from '@mantine/core'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'

import type { Node } from '../../api/admin'
import { request } from '../../api/client'
import type { Alarm, Jobs, VaultJob } from '../../api/types'
import { useDesk, CommandButton, tell } from '../../app/hooks'
import { Badge, Card, LocalTable, PageFrame, Work } from '../../kit'
import { may } from '../../logic/mine'
import { useTexts } from '../../texts'
import { useHealthWords, type Words } from '../../texts/admin/health'
import { useKitWords } from '../../texts/admin/kit'
import { Icon } from '../../ui/icons'
import { Id, Read } from '../records/shared'

import { ReconciliationPage, Reconciliations } from './Reconciliations'

/** How often what goes on is asked anew, ms. */
const EVERY = 5000
/** A node that was not seen for so long is gone, ms: it tells every few seconds. */
const GONE = 60_000

export default function Health({ parts }: { parts: string[] }) {
  const words = useHealthWords()
  const { session } = useDesk()
  if (parts[0] === 'reconciliation' && parts[1]) return <ReconciliationPage key={parts[1]} id={parts[1]} />
  const vault = may(session, 'manage-vault')
  return (
    <PageFrame title={words.title} lead={words.lead}>
      <Alarms />
      {may(session, 'monitor') && <Nodes />}
      <JobList />
      {vault && <Reconciliations />}
    </PageFrame>
  )
}

function Alarms() {
  const t = useTexts()
  const words = useHealthWords()
  const { data, error } = useQuery({ queryKey: ['alarms'], queryFn: () => request<Alarm[]>('GET', '/alarms'), refetchInterval: EVERY, staleTime: 0 })
  return (
    <Card title={words.alarms}>
      <Read data={data} error={error}>{(alarms) => (alarms.length === 0 ? (
        <p className="state good" role="status"><Icon name="check" />{words.well}</p>
      ) : (
        <div className="stack" style={{ gap: 10 }} role="status">
          {alarms.map(({ kind, what, since }) => (
            <Alert key={kind + since} color="red" variant="outline" icon={<Icon name="warning" />} title={words.kinds[kind] ?? kind}>
              <p>{what}</p>
              {words.hints[kind] && <p className="soft">{words.hints[kind]}</p>}
              <p className="soft">{words.since} {t.format.moment(since)}</p>
            </Alert>
          ))}
        </div>
      ))}</Read>
    </Card>
  )
}

function Nodes() {
  const t = useTexts()
  const words = useHealthWords()
  const { data, error } = useQuery({ queryKey: ['nodes'], queryFn: () => request<Node[]>('GET', '/nodes'), refetchInterval: EVERY, staleTime: 0 })
  const state = (node: Node) => (Date.now() - Date.parse(node.seenAt) > GONE ? <Badge tone="bad">{words.gone}</Badge>
    : node.draining ? <Badge tone="warn">{words.draining}</Badge> : <Badge tone="good">{words.working}</Badge>)
  return (
    <Card title={words.nodes}>
      <LocalTable<Node> label={words.nodes} file="nodes" prefix="node-" rows={data} error={error} empty={words.noNodes} rowKey={({ id }) => id} columns={[
        { key: 'id', label: words.node, cell: ({ id, here }) => <><code>{id}</code>{here && <span className="soft"> ({words.here})</span>}</>, value: ({ id }) => id },
        { key: 'state', label: words.state, cell: state, value: ({ draining }) => (draining ? 1 : 0) },
        { key: 'version', label: words.version, cell: ({ version }) => version, value: ({ version }) => version },
        { key: 'calls', label: words.calls, right: true, cell: ({ calls }) => calls, value: ({ calls }) => calls },
        { key: 'since', label: words.up, nowrap: true, cell: ({ since }) => t.format.moment(since), value: ({ since }) => since },
        { key: 'seen', label: words.seen, nowrap: true, cell: ({ seenAt }) => t.format.seconds(seenAt), value: ({ seenAt }) => seenAt },
      ]} />
    </Card>
  )
}

function JobList() {
  const t = useTexts()
  const words = useHealthWords()
  const kit = useKitWords()
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ['jobs'], queryFn: ({ pageParam }) => request<Jobs>('GET', `/jobs${pageParam ? `?after=${encodeURIComponent(pageParam)}` : ''}`),
    initialPageParam: null as string | null, getNextPageParam: ({ next }) => next, refetchInterval: EVERY, staleTime: 0,
  })
  return (
    <Card title={words.jobs}>
      <p className="soft" style={{ marginBottom: 10 }}>{words.jobsLead}</p>
      <Read data={data} error={error}>{({ pages }) => (
        <>
          <Kinds kinds={pages[0]?.kinds ?? []} />
          <LocalTable<VaultJob> label={words.jobs} file="jobs" prefix="job-" rows={pages.flatMap(({ items }) => items)} empty={words.noJobs} rowKey={({ id }) => id} columns={[
            { key: 'kind', label: words.kind, cell: ({ kind }) => words.jobKinds[kind] ?? kind, value: ({ kind }) => words.jobKinds[kind] ?? kind },
            { key: 'subject', label: words.subject, cell: ({ subject }) => <Id id={subject} />, value: ({ subject }) => subject },
            { key: 'due', label: words.due, nowrap: true, cell: (job) => dueOf(words, job, t.format.moment), value: ({ due }) => due },
            { key: 'attempts', label: words.attempts, right: true, cell: ({ attempts }) => attempts, value: ({ attempts }) => attempts },
            { key: 'progress', label: words.progress, cell: ({ progress, kind }) => progress && <Work label={words.progressOf(words.jobKinds[kind] ?? kind)} {...progress} /> },
            { key: 'error', label: words.error, cell: ({ error }) => <span className="free bad">{error}</span>, value: ({ error }) => error },
            { key: 'retry', label: kit.table.actions, cell: (job) => <Retry job={job} /> },
          ]} />
          {hasNextPage && <Button mt="md" variant="default" loading={isFetchingNextPage} onClick={() => { void fetchNextPage() }}>{kit.table.more}</Button>}
        </>
      )}</Read>
    </Card>
  )
}

const dueOf = (words: Words, { leasedBy, due }: VaultJob, moment: (at: string) => string) => (leasedBy ? words.running_(leasedBy) : Date.parse(due) <= Date.now() ? words.now : moment(due))

function Kinds({ kinds }: { kinds: Jobs['kinds'] }) {
  const t = useTexts()
  const words = useHealthWords()
  if (kinds.length === 0) return null
  return (
    <Table className="plain" aria-label={words.kind} mb="md" maw={760}>
      <Table.Thead><Table.Tr><Table.Th>{words.kind}</Table.Th><Table.Th ta="right">{words.waiting}</Table.Th><Table.Th ta="right">{words.running}</Table.Th>
        <Table.Th ta="right">{words.failing}</Table.Th><Table.Th>{words.oldest}</Table.Th></Table.Tr></Table.Thead>
      <Table.Tbody>
        {kinds.map(({ kind, waiting, running, failing, oldest }) => (
          <Table.Tr key={kind}>
            <Table.Th scope="row">{words.jobKinds[kind] ?? kind}</Table.Th><Table.Td ta="right">{waiting}</Table.Td><Table.Td ta="right">{running}</Table.Td>
            <Table.Td ta="right" className={failing > 0 ? 'bad' : undefined}>{failing}</Table.Td><Table.Td>{oldest ? t.format.moment(oldest) : words.none}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}

function Retry({ job }: { job: VaultJob }) {
  const t = useTexts()
  const words = useHealthWords()
  const { session } = useDesk()
  const queries = useQueryClient()
  if (job.leasedBy || !may(session, 'manage-vault')) return null
  return (
    <CommandButton size="xs" variant="default" act={async () => {
      await request<void>('POST', `/jobs/${encodeURIComponent(job.id)}/retry`)
      tell(t, words.retried)
      void queries.invalidateQueries({ queryKey: ['jobs'] })
    }}>{words.retry}<span className="hidden">: {words.retryOf(words.jobKinds[job.kind] ?? job.kind, job.subject)}</span></CommandButton>
  )
}
