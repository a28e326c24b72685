// The first page: what goes on now, what is wrong, what waits for somebody. Each part is there for who may see it.
import { Alert, Loader } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'

import type { Overview as Figures } from '../../api/admin'
import { admin } from '../../api/admin-client'
import type { Right } from '../../api/types'
import { useDesk } from '../../app/hooks'
import { address } from '../../app/route'
import { Badge, Card, PageFrame, spanWords, useFaultWords, type Tone } from '../../kit'
import { may } from '../../logic/mine'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useOverviewWords } from '../../texts/admin/overview'
import { pagesOf } from '../registry'

export default function Overview() {
  const t = useTexts()
  const words = useOverviewWords()
  const faultWords = useFaultWords()
  const { data, error } = useQuery({ queryKey: ['overview'], queryFn: admin.overview, refetchInterval: 10_000, staleTime: 0 })
  return (
    <PageFrame title={words.title} lead={words.lead}>
      {error && <Alert color="red" variant="outline" role="alert">{faultWords(error)}</Alert>}
      {data ? <Parts figures={data} /> : !error && <div className="row" role="status"><Loader size="sm" />{t.common.loading}</div>}
    </PageFrame>
  )
}

function Parts({ figures }: { figures: Figures }) {
  const t = useTexts()
  const words = useOverviewWords()
  const kit = useKitWords()
  const { session } = useDesk()
  const { today, recordings, retention, audit } = figures
  const open = new Set(pagesOf(session).map(({ route }) => route))
  // Only to pages this user has.
  const any = (...rights: Right[]) => rights.some((right) => may(session, right))
  const to = (page: string, query: Record<string, string> = {}) => (open.has(page) ? address(page, [], query) : undefined)
  return (
    <>
      {any('monitor', 'manage-vault') && <Alarms alarms={figures.alarms} />}
      <div className="tiles">
        {any('wallboard', 'view-reports') && <Tile title={words.today} big={figures.callsNow} says={words.callsNow} href={to('reports')} facts={[
          [words.offered, today.offered], [words.answered, today.answered], [words.recorded, today.recorded],
        ]} />}
        {any('wallboard', 'view-reports') && <Tile title={words.consent} big={today.consentAsked > 0 ? t.format.percent(today.consentGiven / today.consentAsked) : kit.form.none}
          says={words.consentOf(today.consentGiven, today.consentAsked)} href={to('consents')} facts={[]} />}
        {any('monitor', 'configure-recording') && <Tile title={words.recordings} big={recordings.stored ?? kit.form.none} says={recordings.countedAt ? words.storedAt(t.format.moment(recordings.countedAt)) : words.counting} href={to('recordings')} facts={[
          [words.waiting, recordings.waiting], [words.failed, recordings.failed > 0 ? <Badge tone="bad">{recordings.failed}</Badge> : 0],
        ]} />}
        {any('monitor', 'configure-recording') && <Tile title={words.retention} big={retention.due} says={words.due} href={to('retention')} facts={[
          [words.lag, retention.lagSeconds > 3600 ? <Badge tone="bad">{spanWords(kit.units, `${Math.round(retention.lagSeconds / 60)}m`)}</Badge> : words.onTime],
        ]} />}
        {any('dpo') && typeof figures.tasks === 'number' && <Tile title={words.people} big={figures.tasks} says={words.tasks} href={to('privacy')} facts={[]} />}
        {any('view-audit-log') && (
          <Tile title={words.audit} big={audit.rows} says={words.rows} href={to('audit')} facts={[
            [words.anchored, audit.anchoredAt ? t.format.moment(audit.anchoredAt) : words.never],
          ]} />
        )}
      </div>
      {any('configure-queues', 'configure-recording', 'configure-prompts') && <Findings findings={figures.findings} linked={open.has('queues')} />}
    </>
  )
}

function Tile({ title, big, says, facts, href }: { title: string; big: ReactNode; says: string; facts: [string, ReactNode][]; href: string | undefined }) {
  return (
    <section className="card tile" aria-label={title}>
      <h2>{href ? <a className="link" href={href}>{title}</a> : title}</h2>
      <div className="big numbers">{typeof big === 'number' ? big.toLocaleString() : big}</div>
      <div className="small">{says}</div>
      {facts.length > 0 && <dl>{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd className="numbers">{value}</dd></div>)}</dl>}
    </section>
  )
}

function Alarms({ alarms }: { alarms: Figures['alarms'] }) {
  const t = useTexts()
  const words = useOverviewWords()
  if (alarms.length === 0) return <Card label={words.alarms}><span className="good">✓ {words.noAlarms}</span></Card>
  return (
    <Alert color="red" variant="outline" role="region" aria-label={words.alarms} title={words.alarms}>
      <ul className="plain-list">
        {alarms.map((alarm) => <li key={alarm.kind + alarm.what}>{alarm.what} <span className="soft">{words.since(t.format.moment(alarm.since))}</span></li>)}
      </ul>
    </Alert>
  )
}

const TONES: Record<string, Tone> = { stop: 'bad', warn: 'warn', note: 'plain' }

function Findings({ findings, linked }: { findings: Figures['findings']; linked: boolean }) {
  const words = useOverviewWords()
  return (
    <Card title={words.findings}>
      {findings.length === 0 ? <p className="soft">{words.noFindings}</p> : (
        <ul className="findings">
          {findings.map((one) => (
            <li key={one.queue + one.what}>
              <Badge tone={TONES[one.level] ?? 'plain'}>{words.levels[one.level] ?? one.level}</Badge>
              {linked ? <a className="link" href={address('queues', [one.queue])}>{one.queue}</a> : <strong>{one.queue}</strong>}
              <span>{one.what}</span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}
