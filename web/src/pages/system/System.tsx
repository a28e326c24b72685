// What holds for the whole system.
import { Autocomplete, Switch } from '@mantine/core'
import type { ReactNode } from 'react'

import type { SystemDocument } from '../../api/admin'
import { useDesk } from '../../app/hooks'
import { Checks, Choices, DocumentForm, KeepField, ListField, MaybeSpanField, NumberField, PageFrame, SpanField, useDocument, useNames, type DocumentState } from '../../kit'
import { may } from '../../logic/mine'
import { useSystemWords } from '../../texts/admin/system'

export default function System() {
  const words = useSystemWords()
  const of = useDocument<SystemDocument>('/system')
  return (
    <PageFrame title={words.title} lead={words.lead}>
      <section className="card" aria-label={words.title}>
        <DocumentForm of={of} label={words.title} names={words.names}>{(draft) => <Fields of={of} draft={draft} />}</DocumentForm>
      </section>
    </PageFrame>
  )
}

type Key<V> = { [K in keyof SystemDocument]-?: SystemDocument[K] extends V | undefined ? K : never }[keyof SystemDocument]

const CLASSES = ['presence', 'config', 'rights', 'modify', 'read', 'failure', 'system'] as const
/** They prove consents, overrides and destructions. */
const ALWAYS = ['rights', 'modify']

function Fields({ of, draft }: { of: DocumentState<SystemDocument>; draft: SystemDocument }) {
  const words = useSystemWords()
  const { names } = words
  const { session } = useDesk()
  const [mayKeep, mayRest] = [may(session, 'configure-recording'), may(session, 'configure-system')]
  const hint = (key: string) => (words.hints as Record<string, string>)[key]
  const webhooks = useNames('webhooks', mayRest)
  const shared = (key: keyof SystemDocument) => ({ label: names[key], hint: hint(key), error: of.wrong(key) })
  const keep = (key: Key<string>) => <KeepField {...shared(key)} value={draft[key]} onChange={(value) => { of.change({ [key]: value }) }} />
  const number = (key: Key<number>, usual: number, min: number, max: number) =>
    <NumberField {...shared(key)} value={draft[key]} usual={usual} min={min} max={max} onChange={(value) => { of.change({ [key]: value }) }} />
  const span = (key: Key<string>, usual: string) => <SpanField {...shared(key)} value={draft[key]} usual={usual} units={['d', 'h', 'm']} onChange={(value) => { of.change({ [key]: value }) }} />
  const off = draft['audit-off'] ?? []
  return (
    <>
      <Part title={words.place} disabled={!mayRest}>
        <Autocomplete label={names['time-zone']} description={hint('time-zone')} error={of.wrong('time-zone')} value={draft['time-zone'] ?? ''} placeholder="UTC" limit={30}
          data={['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]} onChange={(zone) => { of.change({ 'time-zone': zone || undefined }) }} />
      </Part>
      <Part title={words.retention} lead={mayKeep ? words.retentionLead : words.needsRecording} disabled={!mayKeep}>{keep('retention-calls')}{keep('retention-recordings')}{keep('retention-reporting')}</Part>
      <Part title={words.passwords} disabled={!mayRest}>
        {number('password-longer-than', 8, 8, 64)}{number('password-history', 5, 0, 50)}
        <MaybeSpanField {...shared('password-expires')} value={draft['password-expires']} first="90d" units={['d']} onChange={(value) => { of.change({ 'password-expires': value }) }} />
        {number('lock-after', 5, 1, 100)}{span('lock-for', '30m')}
      </Part>
      <Part title={words.sessions} disabled={!mayRest}>
        {span('session-idle', '12h')}{span('session-absolute', '24h')}
        <Choices {...shared('second-factor')} value={draft['second-factor'] ?? 'optional'} onChange={(value) => { of.change({ 'second-factor': value }) }}
          options={(['optional', 'required'] as const).map((value) => ({ value, label: words.factors[value] }))} />
      </Part>
      <Part title={words.audit} disabled={!mayRest}>
        <div className="whole"><Checks {...shared('audit-off')} value={CLASSES.filter((one) => !off.includes(one))} onChange={(on) => {
          const off = CLASSES.filter((one) => !on.includes(one))
          of.change({ 'audit-off': off.length > 0 ? off : undefined })
        }} options={CLASSES.map((value) => ({ value, label: words.classes[value], hint: value, disabled: ALWAYS.includes(value) }))} /></div>
        <MaybeSpanField {...shared('anchor-every')} value={draft['anchor-every']} first="1h" units={['d', 'h', 'm']} onChange={(value) => { of.change({ 'anchor-every': value }) }} />
        <ListField {...shared('anchor-to')} value={draft['anchor-to']} spaces offered={['store', ...webhooks.map((name) => `webhook ${name}`)]} onChange={(value) => { of.change({ 'anchor-to': value }) }} />
      </Part>
      <Part title={words.privacy} disabled={!mayRest}>
        <Switch label={names['second-approver']} description={hint('second-approver')} checked={draft['second-approver'] ?? true}
          onChange={(event) => { of.change({ 'second-approver': event.currentTarget.checked }) }} />
        {span('keep-reports', '1d')}
      </Part>
      <Part title={words.webhooks} disabled={!mayRest || !may(session, 'manage-roles')}>
        <ListField {...shared('webhook-networks')} value={draft['webhook-networks']} onChange={(value) => { of.change({ 'webhook-networks': value }) }} />
      </Part>
    </>
  )
}

function Part({ title, lead, disabled, children }: { title: string; lead?: string; disabled: boolean; children: ReactNode }) {
  return (
    <section className="inset" aria-label={title}>
      <h2>{title}</h2>
      {lead && <p className="soft small" style={{ marginBottom: 10 }}>{lead}</p>}
      <fieldset className="bare" disabled={disabled}><div className="form-grid">{children}</div></fieldset>
    </section>
  )
}
