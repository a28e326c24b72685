// What is recorded, on which ground, what callers are asked, how long it is kept.
import { Switch } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'

import type { QueueDocument, SystemDocument } from '../../api/admin'
import { useDesk } from '../../app/hooks'
import { Choice, Choices, KeepField, MaybeSpanField, NumberField, readDocument, SpanField, TextField, type FormProps } from '../../kit'
import { may } from '../../logic/mine'
import { useQueuesWords } from '../../texts/admin/queues'

import { readAsk, withConsent, withRecording, writeAsk, type Ask, type Recording } from './policy'

export function Policy({ of, draft }: FormProps<QueueDocument>) {
  const words = useQueuesWords()
  const { names, hints } = words
  const { session } = useDesk()
  const recording = draft.recording ?? 'consent'
  const reads = may(session, 'configure-recording') || may(session, 'configure-system')
  const { data: system } = useQuery({ queryKey: ['document', '/system'], queryFn: () => readDocument<SystemDocument>('/system'), enabled: reads, retry: false })
  // What the system says where it says anything: nothing is removed before somebody says so.
  const default_ = (key: 'retention-calls' | 'retention-recordings') => (system ? system.document[key] ?? 'forever' : '')
  return (
    <div className="stack">
      <Choices label={names.recording} error={of.wrong('recording')} value={recording} onChange={(next: Recording) => { of.change(withRecording(draft, next)) }}
        options={(['consent', 'always', 'never'] as const).map((value) => ({ value, label: words.recordings[value], hint: words.recordingHints[value] }))} />
      {recording === 'always' && <Basis of={of} draft={draft} />}
      {recording === 'consent' && <Consent of={of} draft={draft} />}
      <div className="form-grid">
        <KeepField label={names.retention} hint={hints.retention} value={draft.retention} system={default_('retention-calls')} error={of.wrong('retention')}
          onChange={(keep) => { of.change({ retention: keep }) }} />
        <KeepField label={names['file-removal']} hint={hints['file-removal']} value={draft['file-removal']} system={default_('retention-recordings')} error={of.wrong('file-removal')}
          onChange={(keep) => { of.change({ 'file-removal': keep }) }} />
      </div>
      {recording !== 'never' && (
        <div className="form-grid">
          <MaybeSpanField label={names['pause-limit']} value={draft['pause-limit']} first="2m" units={['s', 'm']} error={of.wrong('pause-limit')}
            onChange={(span) => { of.change({ 'pause-limit': span }) }} />
          <Choice label={names['on-recording-failure']} value={draft['on-recording-failure'] ?? 'continue'} error={of.wrong('on-recording-failure')}
            options={Object.entries(words.failures).map(([value, label]) => ({ value, label }))}
            onChange={(next) => { of.change({ 'on-recording-failure': next as QueueDocument['on-recording-failure'] }) }} />
        </div>
      )}
      <Switch label={names['override-allowed']} description={hints['override-allowed']} checked={draft['override-allowed'] ?? false}
        onChange={(event) => { of.change({ 'override-allowed': event.currentTarget.checked }) }} />
      <Switch label={names['destroy-on-withdrawal']} checked={draft['destroy-on-withdrawal'] ?? true}
        onChange={(event) => { of.change({ 'destroy-on-withdrawal': event.currentTarget.checked }) }} />
    </div>
  )
}

function Basis({ of, draft }: Pick<FormProps<QueueDocument>, 'of' | 'draft'>) {
  const words = useQueuesWords()
  const basis = draft['legal-basis'] ?? { obligation: '' }
  const kind = 'contract' in basis ? 'contract' : 'obligation'
  const text = 'contract' in basis ? basis.contract : basis.obligation
  const set = (kind: 'obligation' | 'contract', text: string) => { of.change({ 'legal-basis': kind === 'contract' ? { contract: text } : { obligation: text } }) }
  return (
    <div className="form-grid inset">
      <Choices label={words.names['legal-basis']} value={kind} onChange={(next: 'obligation' | 'contract') => { set(next, text) }}
        options={(['obligation', 'contract'] as const).map((value) => ({ value, label: words.basisKinds[value] }))} />
      <TextField label={words.basisKinds[kind]} hint={words.basisHint} value={text} error={of.wrong('legal-basis')} onChange={(next) => { set(kind, next ?? '') }} />
    </div>
  )
}

function Consent({ of, draft }: Pick<FormProps<QueueDocument>, 'of' | 'draft'>) {
  const words = useQueuesWords()
  const { names } = words
  const consent = draft.consent ?? {}
  const change = (part: typeof consent) => { of.change(withConsent(draft, part)) }
  const { ask, age } = readAsk(consent.ask)
  return (
    <section className="inset" aria-label={names.consent}>
      <h2>{names.consent}</h2>
      <div className="form-grid">
        <Choices label={names.ask} value={ask} error={of.wrong('ask')} onChange={(next: Ask) => { change({ ask: writeAsk({ ask: next, age }) }) }}
          options={(['every-call', 'when-unknown', 'older-than'] as const).map((value) => ({ value, label: words.asks[value] }))}
          below={ask === 'older-than' && <SpanField quiet label={words.asks['older-than']} value={age} units={['d', 'h']} onChange={(span) => { change({ ask: writeAsk({ ask, age: span ?? '365d' }) }) }} />} />
        <div className="form-pair">
          <TextField label={names.yes} hint={words.keyHint} value={consent.yes} placeholder="1" error={of.wrong('yes')} onChange={(yes) => { change({ yes }) }} />
          <TextField label={names.no} hint={words.keyHint} value={consent.no} placeholder="2" error={of.wrong('no')} onChange={(no) => { change({ no }) }} />
        </div>
        <NumberField label={names.attempts} value={consent.attempts} usual={2} min={1} max={9} error={of.wrong('attempts')} onChange={(attempts) => { change({ attempts }) }} />
        <SpanField label={names.timeout} value={consent.timeout} usual="5s" units={['s']} error={of.wrong('timeout')} onChange={(timeout) => { change({ timeout }) }} />
      </div>
      <Switch mt="md" label={names['barge-in']} checked={consent['barge-in'] ?? true} onChange={(event) => { change({ 'barge-in': event.currentTarget.checked }) }} />
    </section>
  )
}
