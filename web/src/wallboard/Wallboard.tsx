// All queues, agents and calls at once; and the ear in a call, with the right to it.
import { Progress, Table } from '@mantine/core'

import { api } from '../api/client'
import type { AgentView, CallView, QueueView, SuperviseMode } from '../api/types'
import { CommandButton, Timer, useCountdown, useDesk, useLive, usePhone } from '../app/hooks'
import { LampLine } from '../desktop/Lamp'
import { reasonWords } from '../desktop/Presence'
import { may, supervised } from '../logic/mine'
import { useTexts } from '../texts'

import { modeOf } from './mode'

export function Wallboard() {
  const t = useTexts()
  const { calls, agents, queues } = useLive()
  const byAge = [...calls.values()].filter((call) => call.phase !== 'over').sort((a, b) => a.arrivedAt.localeCompare(b.arrivedAt))
  const order: AgentView['state'][] = ['talking', 'ringing', 'ready', 'wrap-up', 'not-ready', 'logged-off']
  const byState = [...agents.values()].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.name.localeCompare(b.name))
  return (
    <>
      <h1 className="hidden">{t.wallboard.title}</h1>
      <section aria-label={t.wallboard.queues} className="tiles">
        {[...queues.values()].map((queue) => <QueueTile key={queue.id} queue={queue} />)}
      </section>
      <div className="board">
        <section className="card" aria-label={t.wallboard.calls}>
          <h2>{t.wallboard.calls}</h2>
          {byAge.length === 0 ? <p className="soft">{t.wallboard.noCalls}</p> : <Calls calls={byAge} />}
        </section>
        <section className="card" aria-label={t.wallboard.agents}>
          <h2>{t.wallboard.agents}</h2>
          <Agents agents={byState} />
        </section>
      </div>
    </>
  )
}

function QueueTile({ queue }: { queue: QueueView }) {
  const t = useTexts()
  const level = queue.serviceLevel
  const color = level === null ? 'gray' : level >= 0.8 ? 'green' : level >= 0.6 ? 'yellow' : 'red'
  return (
    <section className="card tile" aria-label={queue.id}>
      <div className="apart"><h2>{queue.id}</h2><span className="small">{t.queues.today}</span></div>
      <div className="apart" style={{ alignItems: 'flex-end', margin: '6px 0 10px' }}>
        <div><div className="big numbers">{queue.waiting}</div><div className="small">{t.queues.waiting}</div></div>
        <div style={{ textAlign: 'right' }}>
          <div style={{ fontSize: '1.25rem', fontWeight: 600 }}>{queue.longestSince ? <Timer from={queue.longestSince} /> : t.quality.none}</div>
          <div className="small">{t.queues.longest}</div>
        </div>
      </div>
      <div className="apart"><span className="small">{t.queues.level}, {t.queues.levelHint(queue.serviceSeconds)}</span>
        <strong>{level === null ? t.quality.none : t.format.percent(level)}</strong></div>
      <Progress value={(level ?? 0) * 100} color={color} mt={4} aria-label={`${t.queues.level} ${queue.id}`} />
      <dl>
        {([['offered', queue.offered], ['answered', queue.answered], ['abandoned', queue.abandoned], ['ready', queue.ready]] as const)
          .map(([name, value]) => <div key={name}><dt>{t.queues[name]}</dt><dd className="numbers">{value}</dd></div>)}
      </dl>
    </section>
  )
}

function Agents({ agents }: { agents: AgentView[] }) {
  const t = useTexts()
  return (
    <Table className="plain" horizontalSpacing={6}>
      <Table.Thead>
        <Table.Tr><Table.Th>{t.wallboard.agent}, {t.wallboard.state.toLocaleLowerCase()}</Table.Th><Table.Th ta="right">{t.wallboard.for}</Table.Th></Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {agents.map((agent) => (
          <Table.Tr key={agent.id}>
            <Table.Td>
              {agent.name}
              <div className="calm"><span className="dot" data-state={agent.state} />
                <span>{t.presence.states[agent.state]}{agent.reason ? `: ${reasonWords(t, agent.reason)}` : ''}<WrapUp agent={agent} /></span></div>
            </Table.Td>
            <Table.Td ta="right" style={{ verticalAlign: 'top' }}><Timer from={agent.since} /></Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}

function WrapUp({ agent }: { agent: AgentView }) {
  const t = useTexts()
  const left = useCountdown(agent.state === 'wrap-up' ? agent.until : null)
  return left === null ? null : <>, {t.presence.wrapUpEnds(left)}</>
}

function Calls({ calls }: { calls: CallView[] }) {
  const t = useTexts()
  const { session } = useDesk()
  const anyRight = may(session, 'listen-live') || may(session, 'whisper') || may(session, 'barge')
  return (
    <>
      <div className="scroll">
        <Table className="plain" horizontalSpacing={8}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.wallboard.caller}</Table.Th><Table.Th>{t.wallboard.phase}</Table.Th><Table.Th>{t.wallboard.with}</Table.Th>
              <Table.Th>{t.wallboard.consent}</Table.Th><Table.Th>{t.wallboard.recording}</Table.Th>
              {anyRight && <Table.Th>{t.wallboard.supervise}</Table.Th>}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>{calls.map((call) => <CallRow key={call.id} call={call} supervises={anyRight} />)}</Table.Tbody>
        </Table>
      </div>
      {anyRight && <p className="soft" style={{ marginTop: 10 }}>{session.agent === null ? t.wallboard.noPhone : t.wallboard.audited}</p>}
    </>
  )
}

function CallRow({ call, supervises }: { call: CallView; supervises: boolean }) {
  const t = useTexts()
  const others = call.parties.filter(({ kind }) => kind !== 'supervisor')
  const name = `call-${call.id}`
  // Before somebody speaks there is nothing to listen to.
  const called = call.parties.length > 0 && call.phase !== 'ringing'
  return (
    <Table.Tr>
      <Table.Td id={name} style={{ whiteSpace: 'nowrap' }}>{call.caller ?? t.common.withheld}<div className="soft" style={{ fontSize: '0.8rem' }}>{call.queue}</div></Table.Td>
      <Table.Td style={{ whiteSpace: 'nowrap' }}>{t.call.phases[call.phase]}<div className="soft" style={{ fontSize: '0.8rem' }}><Timer from={call.connectedAt ?? call.waitingSince ?? call.arrivedAt} /></div></Table.Td>
      <Table.Td>{others.map((party) => <div key={party.leg}>{party.name}</div>)}{others.length === 0 && t.quality.none}</Table.Td>
      <Table.Td>{t.wallboard.consents[call.consent.state]}</Table.Td>
      <Table.Td miw={170}><LampLine call={call} /></Table.Td>
      {supervises && <Table.Td>{called && <Supervise call={call} describedBy={name} />}</Table.Td>}
    </Table.Tr>
  )
}

function Supervise({ call, describedBy }: { call: CallView; describedBy: string }) {
  const t = useTexts()
  const { session } = useDesk()
  const { link, line } = usePhone()
  const now = supervised(useLive(), session.user)
  const here = now?.call.id === call.id
  const mode = here && now ? modeOf(now.party.state) : null
  const talks = ['talking', 'conference'].includes(call.phase) && !call.parties.some(({ kind, id }) => kind === 'agent' && id === session.agent)
  const usable = session.agent !== null && (here || (talks && !now && !line && link !== 'elsewhere'))
  const button = (to: SuperviseMode, right: Parameters<typeof may>[1], label: string) => may(session, right) && (
    <CommandButton size="compact-sm" variant={mode === to ? 'filled' : 'default'} disabled={!usable || (here && mode === null)}
      aria-pressed={here ? mode === to : undefined} aria-describedby={describedBy}
      act={() => (here ? api.superviseAs(call.id, to) : api.supervise(call.id, to))}>{label}</CommandButton>
  )
  return (
    <div className="row" style={{ gap: 4, flexWrap: 'nowrap' }}>
      {button('listen', 'listen-live', t.wallboard.listen)}
      {button('whisper', 'whisper', t.wallboard.whisper)}
      {button('barge', 'barge', t.wallboard.barge)}
    </div>
  )
}
