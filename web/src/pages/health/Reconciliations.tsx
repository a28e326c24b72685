// Comparisons of database and store, and what one found.
import { useQuery, useQueryClient } from '@tanstack/react-query'

import { Fault, request } from '../../api/client'
import type { Finding, Reconciliation, ReconciliationReport } from '../../api/types'
import { CommandButton, tell } from '../../app/hooks'
import { address } from '../../app/route'
import { Badge, Card, ConfirmButton, Facts, LocalTable, PageFrame, ServerTable, type Tone } from '../../kit'
import { useTexts } from '../../texts'
import { useHealthWords, type Words } from '../../texts/admin/health'
import { useKitWords } from '../../texts/admin/kit'
import { useRecordsWords } from '../../texts/admin/records'
import { Read } from '../records/shared'

const PATH = '/reconciliations'
const TONES: Record<Reconciliation['state'], Tone> = { running: 'plain', ended: 'good', failed: 'bad' }

export function Reconciliations() {
  const t = useTexts()
  const words = useHealthWords()
  const queries = useQueryClient()
  return (
    <Card title={words.reconciliations} tools={(
      <CommandButton size="xs" act={async () => {
        await request<void>('POST', PATH, {})
        tell(t, words.begun)
        void queries.invalidateQueries({ queryKey: ['list', PATH] })
      }}>{words.begin}</CommandButton>
    )}>
      <p className="soft" style={{ marginBottom: 10 }}>{words.reconciliationsLead}</p>
      <ServerTable<Reconciliation> path={PATH} prefix="rec-" label={words.reconciliations} empty={words.noReconciliations} rowKey={({ id }) => id} columns={[
        { key: 'began', label: words.began, time: true, nowrap: true, cell: ({ id, beganAt }) => (
          <a href={address('health', ['reconciliation', id])} aria-label={words.openOf(t.format.moment(beganAt))}>{t.format.moment(beganAt)}</a>
        ) },
        { key: 'ended', label: words.ended, nowrap: true, cell: ({ endedAt }) => (endedAt ? t.format.moment(endedAt) : words.none) },
        { key: 'by', label: words.by, cell: ({ by }) => by },
        { key: 'state', label: words.state, cell: ({ state, why }) => <><Badge tone={TONES[state]}>{words.recStates[state]}</Badge>{why && <div className="soft">{why}</div>}</> },
        { key: 'counts', label: words.findings, cell: ({ counts }) => <Found words={words} counts={counts} /> },
      ]} />
    </Card>
  )
}

function Found({ words, counts }: { words: Words; counts: Record<string, unknown> | null }) {
  const found = figuresOf(counts?.findings)
  if (found.length === 0) return <>{words.none}</>
  return <span className="badges">{found.map(([kind, n]) => <Badge key={kind} tone="warn">{words.findingKinds[kind] ?? kind}: {n}</Badge>)}</span>
}

/** Those of a map's values that are figures above zero: what another version counted otherwise is none. */
function figuresOf(map: unknown): [string, number][] {
  if (map === null || typeof map !== 'object') return []
  return Object.entries(map).filter((pair): pair is [string, number] => typeof pair[1] === 'number' && pair[1] > 0)
}

export function ReconciliationPage({ id }: { id: string }) {
  const t = useTexts()
  const words = useHealthWords()
  const records = useRecordsWords()
  const kit = useKitWords()
  const path = `${PATH}/${encodeURIComponent(id)}`
  const { data, error, refetch } = useQuery({ queryKey: ['reconciliation', id], queryFn: () => wholeReport(path), staleTime: 0 })
  return (
    <PageFrame back={{ label: records.back, page: 'health' }} title={data ? words.detail(t.format.moment(data.beganAt)) : words.reconciliations}>
      <Read data={data} error={error}>{(report) => (
        <>
          <Card label={words.counts}>
            <Facts of={[
              [words.state, <Badge key="state" tone={TONES[report.state]}>{words.recStates[report.state]}</Badge>], [words.by, report.by],
              [words.ended, report.endedAt ? t.format.moment(report.endedAt) : words.none], ...figuresOf(report.counts).map(([name, n]): [string, string] => [words.countNames[name] ?? name, name === 'bytes' ? t.format.bytes(n) : t.format.figure(n)]),
              [words.findings, <Found key="found" words={words} counts={report.counts} />],
            ]} />
            {report.why && <p className="bad">{report.why}</p>}
          </Card>
          <Card title={words.findings}>
            <LocalTable<Finding> label={words.findings} file="findings" rows={report.findings.items} empty={words.noFindings} rowKey={({ kind, subject }) => `${kind} ${subject}`}
              filters={[{ kind: 'choice', name: 'kind', label: words.kind, options: [...new Set(report.findings.items.map(({ kind }) => kind))].map((value) => ({ value, label: words.findingKinds[value] ?? value })) }]}
              fits={(finding, filter, value) => filter !== 'kind' || finding.kind === value} columns={[
                { key: 'kind', label: words.kind, cell: ({ kind }) => words.findingKinds[kind] ?? kind, value: ({ kind }) => words.findingKinds[kind] ?? kind },
                { key: 'subject', label: words.subject, cell: ({ subject }) => <code className="free">{subject}</code>, value: ({ subject }) => subject },
                { key: 'detail', label: words.what, cell: ({ detail }) => detail, value: ({ detail }) => detail },
                { key: 'resolved', label: words.resolved, cell: ({ resolvedAt, resolvedBy }) => (resolvedAt ? `${t.format.moment(resolvedAt)}, ${resolvedBy ?? ''}` : words.none), value: ({ resolvedAt }) => resolvedAt },
                { key: 'remove', label: kit.table.actions, cell: ({ kind, subject, resolvedAt }) => kind === 'orphan' && !resolvedAt && (
                  <ConfirmButton label={words.orphan} describe={words.orphanOf(subject)} title={words.orphanTitle} confirm={words.orphanConfirm} danger reason done={words.removed}
                    lead={<><code className="free">{subject}</code><p>{words.orphanLead}</p></>} onDone={() => { void refetch() }} act={(reason) => removeOrphan(words, path, subject, reason)} />
                ) },
              ]} />
          </Card>
        </>
      )}</Read>
    </PageFrame>
  )
}

/** A report's findings come in pages; they are filtered and sorted here, so all are read. */
async function wholeReport(path: string): Promise<ReconciliationReport> {
  const report = await request<ReconciliationReport>('GET', path)
  let { next } = report.findings
  const items = [...report.findings.items]
  while (next !== null) {
    const more: ReconciliationReport = await request<ReconciliationReport>('GET', `${path}?after=${encodeURIComponent(next)}`)
    items.push(...more.findings.items)
    next = more.findings.next
  }
  return { ...report, findings: { items, next: null } }
}

async function removeOrphan(words: Words, path: string, name: string, reason: string) {
  try {
    await request<void>('POST', `${path}/orphans`, { name, reason })
  } catch (error) {
    const said = error instanceof Fault ? words.faults[error.title] : undefined
    throw said ? new Fault(422, 'not-removed', said) : error
  }
}
