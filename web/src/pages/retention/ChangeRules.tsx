// Rules changed as a draft; simulated; and only then put into the system's and the queues' documents, each with the
// version it was read with.
import { Alert, Button, NativeSelect, Stack } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import type { Named, QueueDocument, RetentionView, Simulation, SystemDocument } from '../../api/admin'
import { Fault, request } from '../../api/client'
import type { Page } from '../../api/types'
import { tell } from '../../app/hooks'
import { Card, ConfirmDialog, KeepField, readDocument, useFaultWords, writeDocument } from '../../kit'
import { same } from '../../kit/differences'
import { queueWith, rulesOf, simulationOf, sooner, systemWith, type Rules, type SimulationAsk } from '../../logic/rules'
import { useTexts } from '../../texts'
import { useRetentionWords } from '../../texts/admin/retention'
import { Read } from '../records/shared'

import { Impact } from './Impact'

export function ChangeRules({ view }: { view: RetentionView }) {
  const { data, error } = useQuery({ queryKey: ['list', '/queues', 'retention'], queryFn: () => request<Page<Named<QueueDocument>>>('GET', '/queues'), staleTime: 0 })
  return <Read data={data} error={error}>{(queues) => <Draft view={view} queues={queues.items} />}</Read>
}

function Draft({ view, queues }: { view: RetentionView; queues: Named<QueueDocument>[] }) {
  const t = useTexts()
  const words = useRetentionWords()
  const faultWords = useFaultWords()
  const queries = useQueryClient()
  const before = rulesOf(view, queues)
  const [rules, setRules] = useState(before)
  const [found, setFound] = useState<{ ask: SimulationAsk; of: Simulation } | null>(null)
  const [opened, setOpened] = useState<string[]>([])
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<string | null>(null)
  const [saving, setSaving] = useState(false)
  const ask = simulationOf(before, rules)
  const fresh = found !== null && ask !== null && same(found.ask, ask)
  const shown = queues.filter(({ name }) => opened.includes(name) || before.queues[name]?.calls || before.queues[name]?.recordings || rules.queues[name]?.calls || rules.queues[name]?.recordings)
  const others = queues.filter((queue) => !shown.includes(queue))

  const simulate = async () => {
    if (!ask) return
    setBusy(true)
    setFault(null)
    try {
      setFound({ ask, of: await request<Simulation>('POST', '/retention/simulation', ask) })
    } catch (error) {
      setFault(faultWords(error))
    }
    setBusy(false)
  }
  const save = async () => {
    if (!ask) return
    const stored: string[] = []
    try {
      await put(ask, queues, (name) => { stored.push(name ?? words.system) })
      tell(t, words.saved)
      setFound(null)
    } catch (error) {
      const what = error instanceof Fault && error.status === 412 ? words.changedMeanwhile : faultWords(error)
      throw new Fault(422, 'not-saved', [what, ...(stored.length > 0 ? [words.partly(stored.join(', '))] : [])].join(' '))
    } finally {
      for (const key of [['retention'], ['list', '/queues'], ['document']]) await queries.invalidateQueries({ queryKey: key })
    }
  }
  const queue = (name: string, part: Partial<Rules['queues'][string]>) => {
    setRules({ ...rules, queues: { ...rules.queues, [name]: { calls: '', recordings: '', ...rules.queues[name], ...part } } })
  }
  const system = (part: Partial<Rules['system']>) => { setRules({ ...rules, system: { ...rules.system, ...part } }) }
  return (
    <div className="stack">
      <Card title={words.change}>
        <Stack>
          <p className="soft">{words.changeLead}</p>
          <RuleGroup title={words.system} changed={!same(before.system, rules.system)}>
            <div className="three">
              <KeepField label={words.calls} value={rules.system.calls} onChange={(keep) => { system({ calls: keep ?? 'forever' }) }} />
              <KeepField label={words.recordings} value={rules.system.recordings} onChange={(keep) => { system({ recordings: keep ?? 'forever' }) }} />
              <KeepField label={words.reporting} value={rules.system.reporting} onChange={(keep) => { system({ reporting: keep ?? 'forever' }) }} />
            </div>
          </RuleGroup>
          {shown.map(({ name }) => (
            <RuleGroup key={name} title={`${words.queue} ${name}`} changed={!same(before.queues[name], rules.queues[name])}>
              <div className="three">
                <KeepField label={words.calls} value={rules.queues[name]?.calls || undefined} system={rules.system.calls} onChange={(keep) => { queue(name, { calls: keep ?? '' }) }} />
                <KeepField label={words.recordings} value={rules.queues[name]?.recordings || undefined} system={rules.system.recordings}
                  onChange={(keep) => { queue(name, { recordings: keep ?? '' }) }} />
              </div>
            </RuleGroup>
          ))}
          {others.length > 0 && (
            <NativeSelect label={words.addQueue} value="" maw={320} onChange={(event) => { setOpened([...opened, event.currentTarget.value]) }}
              data={[{ value: '', label: '–' }, ...others.map(({ name }) => name)]} />
          )}
          <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
          <div className="row sticky-actions">
            <Button onClick={() => { void simulate() }} loading={busy} disabled={!ask || fresh}>{words.simulate}</Button>
            <Button variant="outline" disabled={!fresh} onClick={() => { setSaving(true) }}>{words.save}</Button>
            <Button variant="subtle" disabled={!ask} onClick={() => {
              setRules(before)
              setFound(null)
            }}>{words.discard}</Button>
            <span role="status" className="soft">{busy ? words.simulating : !ask ? words.noChange : found && !fresh ? words.stale : ''}</span>
          </div>
        </Stack>
      </Card>
      {found && fresh && <Impact of={found.of} />}
      {found && (
        <ConfirmDialog opened={saving} onClose={() => { setSaving(false) }} title={words.saveTitle} confirm={words.saveConfirm} act={save}
          danger={sooner(before, rules)} lead={leadOf(found.of)} />
      )}
    </div>
  )

  function leadOf({ now, proposed }: Simulation): string {
    const [recordings, calls] = [proposed.recordings - now.recordings, proposed.calls - now.calls]
    return recordings > 0 || calls > 0 ? words.saveSooner(t.format.figure(Math.max(0, recordings)), t.format.figure(Math.max(0, calls))) : words.saveLater
  }
}

function RuleGroup({ title, changed, children }: { title: string; changed: boolean; children: React.ReactNode }) {
  return <section className={`group ${changed ? 'changed' : ''}`} aria-label={title}><header><h3>{title}</h3></header>{children}</section>
}

/** One document after the other: who fails has told which are stored. */
async function put(ask: SimulationAsk, queues: Named<QueueDocument>[], onStored: (queue: string | null) => void) {
  if (ask.system) {
    const { document, version } = await readDocument<SystemDocument>('/system')
    await writeDocument('/system', systemWith(document, ask.system), version)
    onStored(null)
  }
  for (const [name, change] of Object.entries(ask.queues ?? {})) {
    const queue = queues.find((one) => one.name === name)
    if (!queue) continue
    // The version that was simulated, not a newer one: what somebody else changed has to be simulated, too.
    await writeDocument(`/queues/${encodeURIComponent(name)}`, queueWith(queue.document, change), queue.version)
    onStored(name)
  }
}
