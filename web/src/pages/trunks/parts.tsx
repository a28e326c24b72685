// The parts of a trunk's form: who it is, calls out, sound. The wizard shows them one after another, the editor all.
import { PasswordInput, Switch } from '@mantine/core'

import type { TrunkDocument } from '../../api/admin'
import { Choices, ListField, NumberField, TextField, type DocumentState } from '../../kit'
import { useKitWords } from '../../texts/admin/kit'
import { useTrunksWords } from '../../texts/admin/trunks'

import { withDigest, withOutbound } from './trunk'

export interface PartProps { of: DocumentState<TrunkDocument>; draft: TrunkDocument }

export function Identity({ of, draft }: PartProps) {
  const words = useTrunksWords()
  const kit = useKitWords()
  const { names, hints } = words
  return (
    <>
      <p className="soft">{words.identityLead}</p>
      <div className="form-grid">
        <ListField label={names.networks} hint={hints.networks} value={draft.networks} placeholder="192.0.2.0/24" error={of.wrong('networks')} onChange={(networks) => { of.change({ networks }) }} />
        <TextField label={names['digest.user']} value={draft.digest?.user} error={of.wrong('digest.user') ?? of.wrong('digest')} onChange={(user) => { of.change(withDigest(draft, { user: user ?? '' })) }} />
        <PasswordInput label={names['digest.password']} description={of.isNew ? undefined : kit.form.secretKept} value={draft.digest?.password ?? ''} autoComplete="new-password" error={of.wrong('digest.password')}
          onChange={(event) => { of.change(withDigest(draft, { password: event.currentTarget.value || undefined })) }} />
        <TextField label={names.region} hint={hints.region} value={draft.region} error={of.wrong('region')} onChange={(region) => { of.change({ region: region?.toUpperCase() }) }} />
        <NumberField label={names['max-calls']} value={draft['max-calls']} min={1} max={1_000_000} error={of.wrong('max-calls')} onChange={(max) => { of.change({ 'max-calls': max }) }} />
        <NumberField label={names['calls-per-second']} value={draft['calls-per-second']} min={1} max={1_000_000} error={of.wrong('calls-per-second')} onChange={(max) => { of.change({ 'calls-per-second': max }) }} />
      </div>
    </>
  )
}

export function Outbound({ of, draft }: PartProps) {
  const words = useTrunksWords()
  const kit = useKitWords()
  const { names, hints } = words
  const { outbound } = draft
  const change = (part: Partial<NonNullable<TrunkDocument['outbound']>>) => { of.change(withOutbound(draft, part)) }
  return (
    <>
      <p className="soft">{words.outboundLead}</p>
      <Switch label={words.outboundOn} checked={outbound !== undefined} onChange={(event) => { of.change(event.currentTarget.checked ? withOutbound(draft, {}) : { outbound: undefined }) }} />
      {outbound && (
        <div className="form-grid">
          <TextField label={names['outbound.server']} hint={hints.server} value={outbound.server} placeholder="sip:carrier.example" error={of.wrong('server')} onChange={(server) => { change({ server: server ?? '' }) }} />
          <TextField label={names['outbound.user']} value={outbound.user} error={of.wrong('outbound.user')} onChange={(user) => { change({ user }) }} />
          <PasswordInput label={names['outbound.password']} description={of.isNew ? undefined : kit.form.secretKept} value={outbound.password ?? ''} autoComplete="new-password" error={of.wrong('outbound.password')}
            onChange={(event) => { change({ password: event.currentTarget.value || undefined }) }} />
          <TextField label={names['outbound.caller-id']} hint={hints.callerId} value={outbound['caller-id']} error={of.wrong('caller-id')} onChange={(number) => { change({ 'caller-id': number }) }} />
          <ListField label={names['outbound.prefixes']} hint={hints.prefixes} value={outbound.prefixes} placeholder="+" error={of.wrong('prefixes')} onChange={(prefixes) => { change({ prefixes }) }} />
          <Switch label={names['outbound.register']} description={outbound.user ? undefined : hints.userNeeded} checked={outbound.register ?? false} disabled={!outbound.user && !outbound.register}
            onChange={(event) => { change({ register: event.currentTarget.checked || undefined }) }} />
        </div>
      )}
    </>
  )
}

export function Media({ of, draft }: PartProps) {
  const words = useTrunksWords()
  const { names, hints } = words
  return (
    <>
      <p className="soft">{words.mediaLead}</p>
      <div className="form-grid">
        <ListField label={names.codecs} hint={hints.codecs} value={draft.codecs} offered={['g722', 'pcma', 'pcmu', 'opus']} error={of.wrong('codecs')} onChange={(codecs) => { of.change({ codecs }) }} />
        <Choices label={names.srtp} value={draft.srtp ?? 'off'} error={of.wrong('srtp')} onChange={(srtp) => { of.change({ srtp }) }}
          options={(['off', 'optional', 'required'] as const).map((value) => ({ value, label: words.srtp[value] }))} />
      </div>
      <Switch label={names['in-band-digits']} checked={draft['in-band-digits'] ?? false} onChange={(event) => { of.change({ 'in-band-digits': event.currentTarget.checked || undefined }) }} />
      <Switch label={names['release-path']} checked={draft['release-path'] ?? false} onChange={(event) => { of.change({ 'release-path': event.currentTarget.checked || undefined }) }} />
    </>
  )
}
