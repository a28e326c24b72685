// One call: facts, parties, what happened, answers, recordings, notes, attached data.
import { Alert, Table } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'

import type { CallDetail } from '../../api/admin'
import { request } from '../../api/client'
import { useDesk } from '../../app/hooks'
import { address } from '../../app/route'
import { NoteForm } from '../../desktop/Notes'
import { Badge, Card, Facts, PageFrame } from '../../kit'
import { may } from '../../logic/mine'
import { clock } from '../../logic/time'
import { useTexts } from '../../texts'
import { useRecordsWords, type Words } from '../../texts/admin/records'
import { HoldButton } from '../holds/HoldForm'
import { basisWords, Read, StateBadge } from '../records/shared'

import { AttachedData } from './AttachedData'
import { callerOf, lengthOf } from './Calls'
import { SipMessages } from './ladder/SipMessages'

const path = (id: string) => `/calls/${encodeURIComponent(id)}`

export function CallPage({ id }: { id: string }) {
  const t = useTexts()
  const words = useRecordsWords()
  const { session } = useDesk()
  const { data, error, refetch } = useQuery({ queryKey: ['call', id], queryFn: () => request<CallDetail>('GET', path(id)), staleTime: 0 })
  return (
    <PageFrame back={{ label: words.back, page: 'all-calls' }} title={data ? words.calls.detail(t.format.moment(data.arrivedAt)) : words.calls.title}
        tools={data && may(session, 'manage-holds') && <HoldButton on={{ call: id }} label={words.calls.hold} />}>
      <Read data={data} error={error}>{(call) => (
        <>
          {call.anonymised && <Alert color="navy" variant="outline">{words.calls.anonymisedLead}</Alert>}
          {call.restricted && <Alert color="yellow" variant="outline">{words.calls.restrictedLead}</Alert>}
          <Card label={words.calls.detail(t.format.moment(call.arrivedAt))}><CallFacts call={call} /></Card>
          <Card title={words.calls.parties}><Parties call={call} /></Card>
          <div className="two">
            <Card title={words.calls.events}><Events call={call} /></Card>
            <div className="stack">
              <Card title={words.calls.consents}><Answers call={call} /></Card>
              <Card title={words.calls.recordingsOf}><RecordingsOf call={call} /></Card>
              <Card title={words.calls.notes}>
                {call.notes.length === 0 && <p className="soft">{words.calls.noNotes}</p>}
                {call.notes.map((note) => (
                  <div key={note.at + note.by} style={{ marginBottom: 10 }}>
                    <div className="soft">{t.format.moment(note.at)}, {note.by}</div><div className="free">{note.text}</div>
                  </div>
                ))}
                {session.agent !== null && session.agent === call.agent && <NoteForm call={id} onSaved={() => { void refetch() }} />}
              </Card>
              <Card title={words.calls.data}>
                <AttachedData path={`${path(id)}/data`} data={call.data} readOnly={call.anonymised || !session.rights.includes('take-calls')} onSaved={() => { void refetch() }} />
              </Card>
            </div>
          </div>
          {may(session, 'monitor') && <SipMessages id={id} />}
        </>
      )}</Read>
    </PageFrame>
  )
}

function CallFacts({ call }: { call: CallDetail }) {
  const t = useTexts()
  const words = useRecordsWords()
  return (
    <Facts of={[
      [words.calls.caller, callerOf(words, call)],
      [words.calls.dialled, call.dialled],
      ...(call.trunk ? [[words.calls.trunk, call.trunk] as [string, string]] : []),
      [words.calls.firstQueue, <>{call.firstQueue} <span className="soft">({words.calls.firstQueueHint})</span></>],
      ...(call.queue !== call.firstQueue ? [[words.queue, call.queue] as [string, string]] : []),
      [words.agent, call.agent ?? words.none],
      [words.calls.length, lengthOf(words, call)],
      ...(call.connectedAt ? [[words.calls.waited, clock((Date.parse(call.connectedAt) - Date.parse(call.arrivedAt)) / 1000)] as [string, string]] : []),
      [words.calls.end, call.endCause ? words.causes[call.endCause] ?? call.endCause : words.none],
      [words.calls.basis, basisWords(words, call.basis, call.basisDetail, t.format.moment)],
      [words.calls.language, call.language],
      [words.id, <code key="id">{call.id}</code>],
    ]} />
  )
}

function Parties({ call }: { call: CallDetail }) {
  const t = useTexts()
  const words = useRecordsWords()
  return (
    <div className="scroll" role="group" aria-label={words.calls.parties} tabIndex={0}>
      <Table className="plain">
        <Table.Thead><Table.Tr>
          <Table.Th>{words.calls.party}</Table.Th><Table.Th>{words.calls.dialled}</Table.Th><Table.Th>{words.calls.connected}</Table.Th>
          <Table.Th>{words.calls.ended}</Table.Th><Table.Th>{words.calls.cause}</Table.Th><Table.Th>{words.calls.quality}</Table.Th>
        </Table.Tr></Table.Thead>
        <Table.Tbody>
          {call.legs.map((leg) => (
            <Table.Tr key={leg.n}>
              <Table.Th scope="row">{leg.agent ? words.calls.agentLine(leg.agent) : leg.n === 0 ? words.calls.callerParty : leg.outside ?? words.calls.outside}
                {leg.trunk && <span className="soft"> ({words.calls.trunkLine(leg.trunk)})</span>}</Table.Th>
              <Table.Td>{t.format.instant(leg.dialledAt)}</Table.Td>
              <Table.Td>{leg.connectedAt ? t.format.instant(leg.connectedAt) : words.calls.notConnected}</Table.Td>
              <Table.Td>{leg.endedAt ? t.format.instant(leg.endedAt) : words.none}</Table.Td>
              <Table.Td>{leg.cause ? words.causes[leg.cause] ?? leg.cause : words.none}</Table.Td>
              <Table.Td>{qualityOf(words, t.format.figure, leg)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  )
}

function qualityOf(words: Words, figure: (n: number, digits?: number) => string, { mos, loss, jitterMs }: CallDetail['legs'][number]): string {
  if (mos === null && loss === null) return words.none
  return words.calls.qualityOf(mos === null ? words.none : figure(mos, 1), loss === null ? words.none : `${figure(loss * 100, 1)} %`,
    jitterMs === null ? words.none : `${figure(jitterMs, 0)} ms`)
}

function Events({ call }: { call: CallDetail }) {
  const t = useTexts()
  const words = useRecordsWords()
  if (call.events.length === 0) return <p className="soft">{words.calls.noEvents}</p>
  return (
    <ol className="events">
      {call.events.map((event, n) => (
        <li key={`${event.at}-${n}`}>
          <span className="soft">{t.format.instant(event.at)}</span>
          <div>
            <strong>{words.eventKinds[event.kind] ?? event.kind}</strong>
            {[event.queue, event.agent, event.detail && (words.bases[event.detail] ?? words.answers[event.detail] ?? event.detail)].filter(Boolean).map((part) => ` · ${part}`).join('')}
            {event.note && <div className="free soft">{event.note}</div>}
          </div>
        </li>
      ))}
    </ol>
  )
}

function Answers({ call }: { call: CallDetail }) {
  const t = useTexts()
  const words = useRecordsWords()
  if (call.consents.length === 0) return <p className="soft">{words.calls.noConsents}</p>
  return (
    <ul className="events">
      {call.consents.map((consent) => (
        <li key={consent.at}>
          <span className="soft">{t.format.instant(consent.at)}</span>
          <div>
            <Badge tone={consent.agreed ? 'good' : 'warn'}>{words.answers[consent.answer] ?? consent.answer}</Badge>
            {consent.reset && <> <Badge tone="plain">{words.consents.reset}</Badge></>}
            <div className="soft">{[consent.digit && `${words.consents.key} ${consent.digit}`, consent.channel, consent.language].filter(Boolean).join(' · ')}</div>
            {consent.question && <div className="hash soft">{words.consents.question}: {consent.question.slice(0, 16)}…</div>}
          </div>
        </li>
      ))}
    </ul>
  )
}

function RecordingsOf({ call }: { call: CallDetail }) {
  const words = useRecordsWords()
  const { session } = useDesk()
  if (call.recordingList.length === 0) return <p className="soft">{words.calls.noRecordings}</p>
  return (
    <ul className="plain-list">
      {call.recordingList.map(({ id, state, seconds }) => (
        <li key={id} className="row">
          {may(session, 'listen-recordings') ? <a href={address('recordings', [id])}><code>{id}</code></a> : <code>{id}</code>}
          <StateBadge state={state} />{seconds !== null && <span className="soft">{clock(seconds)}</span>}
        </li>
      ))}
    </ul>
  )
}
