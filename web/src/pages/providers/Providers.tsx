// OpenID Connect providers, and which of their groups has which role here.
import { Button, PasswordInput, Switch, TextInput } from '@mantine/core'
import { useMemo } from 'react'

import type { Named, ProviderDocument } from '../../api/admin'
import type { Role } from '../../api/types'
import { Choice, ListField, SettingsPage, TextField, useNames, type Column, type FormProps } from '../../kit'
import { useKitWords } from '../../texts/admin/kit'
import { useProvidersWords } from '../../texts/admin/providers'
import { useRolesWords } from '../../texts/admin/roles'
import { ROLES } from '../roles/rights'

import { readPairs, writePairs, type Pair } from './pairs'

export default function Providers({ parts }: { parts: string[] }) {
  const words = useProvidersWords()
  const columns = useMemo((): Column<Named<ProviderDocument>>[] => [
    { key: 'display-name', label: words.names['display-name'], value: ({ name, document }) => document['display-name'] ?? name, cell: ({ name, document }) => document['display-name'] ?? name },
    { key: 'issuer', label: words.names.issuer, value: ({ document }) => document.issuer, cell: ({ document }) => document.issuer },
    { key: 'roles', label: words.names.roles, value: ({ document }) => (document.roles ?? []).join(', '), cell: ({ document }) => (document.roles ?? []).join(', ') },
  ], [words])
  return (
    <SettingsPage<ProviderDocument> kind="providers" parts={parts} title={words.title} lead={words.lead} add={words.add} empty={words.empty} columns={columns}
      fresh={{ 'issuer': '', 'client-id': '' }} names={words.names} mayChange Form={Editor} />
  )
}

function Editor({ of, draft, name }: FormProps<ProviderDocument>) {
  const words = useProvidersWords()
  const kit = useKitWords()
  const { names, hints } = words
  const text = (key: 'display-name' | 'issuer' | 'client-id' | 'user-claim' | 'role-claim', hint?: string, placeholder?: string) => (
    <TextField label={names[key]} hint={hint} value={draft[key]} placeholder={placeholder} error={of.wrong(key)}
      onChange={(next) => { of.change({ [key]: next ?? (key === 'issuer' || key === 'client-id' ? '' : undefined) }) }} />
  )
  return (
    <>
      <p className="soft">{hints.callback(`${window.location.origin}/api/v1/sign-on/${name || '…'}/callback`)}</p>
      <div className="form-grid">
        {text('display-name')}{text('issuer', hints.issuer)}{text('client-id')}
        <PasswordInput label={names['client-secret']} description={of.isNew ? hints.secret : kit.form.secretKept} value={draft['client-secret'] ?? ''} autoComplete="off" error={of.wrong('client-secret')}
          onChange={(event) => { of.change({ 'client-secret': event.currentTarget.value || undefined }) }} />
        {text('user-claim', undefined, 'preferred_username')}{text('role-claim', undefined, 'groups')}
        <ListField label={names.scopes} value={draft.scopes} offered={['profile', 'email', 'groups']} error={of.wrong('scopes')} onChange={(scopes) => { of.change({ scopes }) }} />
      </div>
      <Pairs pairs={readPairs(draft.roles)} error={of.wrong('roles')} onChange={(pairs) => { of.change({ roles: writePairs(pairs) }) }} />
      <Switch label={names['make-users']} checked={draft['make-users'] ?? false} onChange={(event) => { of.change({ 'make-users': event.currentTarget.checked }) }} />
    </>
  )
}

function Pairs({ pairs, onChange, error }: { pairs: Pair[]; onChange(pairs: Pair[]): void; error: string | undefined }) {
  const words = useProvidersWords()
  const roles = useRolesWords()
  const own = useNames('roles')
  const options = [...ROLES.map((value) => ({ value: value as string, label: roles.roles[value as Role] })), ...own.map((value) => ({ value, label: value }))]
  const put = (n: number, part: Partial<Pair>) => { onChange(pairs.map((pair, at) => (at === n ? { ...pair, ...part } : pair))) }
  return (
    <section className="inset" aria-label={words.names.roles}>
      <h2>{words.names.roles}</h2>
      <p className="soft small">{words.hints.roles}</p>
      {pairs.map((pair, n) => (
        <div key={n} className="row" role="group" aria-label={words.pairN(n + 1)} style={{ alignItems: 'flex-end', marginTop: 8 }}>
          <TextInput label={words.group} value={pair.group} onChange={(event) => { put(n, { group: event.currentTarget.value }) }} />
          <Choice label={words.role} value={pair.role} none="" options={options} onChange={(role) => { put(n, { role: role ?? '' }) }} />
          <Button variant="subtle" color="gray" aria-label={words.removePair(pair.group)} onClick={() => { onChange(pairs.filter((_, at) => at !== n)) }}>✕</Button>
        </div>
      ))}
      {error && <div className="bad small" role="alert">{error}</div>}
      <Button mt="sm" size="xs" variant="default" onClick={() => { onChange([...pairs, { group: '', role: 'agent' }]) }}>{words.addPair}</Button>
    </section>
  )
}
