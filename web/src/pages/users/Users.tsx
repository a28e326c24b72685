// Users: what they are, which rights they have beside, and whether they can get in.
import { Alert, MultiSelect, PasswordInput, Switch } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'

import type { AgentDocument, Named, RoleDocument, UserDocument } from '../../api/admin'
import { admin } from '../../api/admin-client'
import type { Right, Role } from '../../api/types'
import { CommandButton, tell, useDesk } from '../../app/hooks'
import { Badge, Card, Choice, ConfirmButton, Facts, SettingsPage, TextField, useAll, useFaultWords, useNames, type Column, type FormProps } from '../../kit'
import { useLiveQueues } from '../../kit/names'
import { may } from '../../logic/mine'
import { LANGUAGES, useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useRolesWords } from '../../texts/admin/roles'
import { useUsersWords } from '../../texts/admin/users'
import { ALL_RIGHTS, ROLES } from '../roles/rights'
import { RightsField } from '../roles/RightsField'

import { mustChange, withPassword } from './user'

export default function Users({ parts }: { parts: string[] }) {
  const words = useUsersWords()
  const roles = useRolesWords()
  const { session } = useDesk()
  const own = useNames('roles')
  const columns = useMemo((): Column<Named<UserDocument>>[] => {
    const role = ({ document }: Named<UserDocument>) => roles.roles[document.role as Role] ?? document.role
    return [
      { key: 'display-name', label: words.names['display-name'], value: ({ name, document }) => document['display-name'] ?? name, cell: ({ name, document }) => document['display-name'] ?? name },
      { key: 'role', label: words.names.role, value: role, cell: role },
      { key: 'grants', label: words.names.grants, value: ({ document }) => (document.grants ?? []).join(', '), cell: ({ document }) => (document.grants ?? []).map((right) => <Badge key={right} tone="warn">{right}</Badge>) },
      { key: 'agent', label: words.names.agent, value: ({ document }) => document.agent ?? '', cell: ({ document }) => document.agent },
      { key: 'only-queues', label: words.names['only-queues'], value: ({ document }) => (document['only-queues'] ?? []).join(', '), cell: ({ document }) => (document['only-queues'] ?? []).join(', ') },
    ]
  }, [words, roles])
  const filters = useMemo(() => [{ kind: 'choice' as const, name: 'role', label: words.names.role,
    options: [...ROLES.map((value) => ({ value: value as string, label: roles.roles[value] })), ...own.map((value) => ({ value, label: value }))] }], [words, roles, own])
  return (
    <SettingsPage<UserDocument> kind="users" parts={parts} title={words.title} lead={words.lead} add={words.add} empty={words.empty} columns={columns} filters={filters}
      fits={({ document }, _, role) => document.role === role} fresh={{ role: 'agent' }} names={words.names}
      mayChange={may(session, 'manage-users')} nameField={{ label: words.id }} Form={Editor} Beside={State} />
  )
}

function Editor({ of, draft, name }: FormProps<UserDocument>) {
  const words = useUsersWords()
  const roles = useRolesWords()
  const kit = useKitWords()
  const { session } = useDesk()
  const { names } = words
  const managesRoles = may(session, 'manage-roles')
  const agents = useAll<AgentDocument>('agents').data ?? []
  const own = useAll<RoleDocument>('roles').data ?? []
  const queues = useLiveQueues()
  const { data: fixed } = useQuery({ queryKey: ['default-roles'], queryFn: admin.defaultRoles, staleTime: Infinity })
  const self = name === session.user && !of.isNew
  const ofRole: Right[] = fixed?.roles.find((one) => one.name === draft.role)?.rights ?? own.find((one) => one.name === draft.role)?.document.rights ?? []
  return (
    <>
      <section className="inset" aria-label={words.person}>
        <h2>{words.person}</h2>
        <div className="form-grid">
          <TextField label={names['display-name']} value={draft['display-name']} error={of.wrong('display-name')} onChange={(next) => { of.change({ 'display-name': next }) }} />
          <PasswordInput label={names.password} description={of.isNew ? words.passwordHint : kit.form.secretKept} value={draft.password ?? ''} error={of.wrong('password')} autoComplete="new-password"
            onChange={(event) => { of.change(withPassword(draft, of.stored, event.currentTarget.value)) }} />
          <Choice label={names.agent} value={draft.agent} none={words.noAgent} error={of.wrong('agent')} options={agents.map((one) => ({ value: one.name, label: one.document['display-name'] ?? one.name }))}
            onChange={(agent) => { of.change({ agent }) }} />
          <Choice label={names.language} value={draft.language} none={words.asBrowser} error={of.wrong('language')}
            options={Object.entries(LANGUAGES).map(([value, { languageName }]) => ({ value, label: languageName }))} onChange={(language) => { of.change({ language }) }} />
        </div>
        <Switch mt="md" label={names['must-change']} checked={mustChange(draft, of.isNew)} onChange={(event) => { of.change({ 'must-change': event.currentTarget.checked }) }} />
      </section>
      <section className="inset" aria-label={words.rightsPart}>
        <h2>{words.rightsPart}</h2>
        {(self || !managesRoles) && <p className="soft">{self ? words.notOwn : words.needsRoles}</p>}
        <fieldset className="bare stack" disabled={self || !managesRoles}>
          <div className="form-grid">
            <Choice label={names.role} value={draft.role} error={of.wrong('role')} onChange={(role) => { of.change({ role: role ?? 'agent' }) }}
              options={[...ROLES.map((value) => ({ value: value as string, label: roles.roles[value] })), ...own.map((one) => ({ value: one.name, label: one.name }))]} />
            <MultiSelect label={names['only-queues']} description={words.allQueues} value={draft['only-queues'] ?? []} error={of.wrong('only-queues')} searchable
              disabled={self || !managesRoles} data={[...new Set([...queues, ...(draft['only-queues'] ?? [])])]}
              onChange={(list) => { of.change({ 'only-queues': list.length > 0 ? list : undefined }) }} />
          </div>
          <details open={(draft.grants ?? []).length > 0 || undefined}>
            <summary>{words.grants}: {(draft.grants ?? []).length}</summary>
            <p className="soft">{words.grantsLead}</p>
            <RightsField offered={ALL_RIGHTS} locked={ofRole} value={draft.grants ?? []} onChange={(grants) => { of.change({ grants: grants.length > 0 ? grants : undefined }) }} />
          </details>
        </fieldset>
      </section>
    </>
  )
}

function State({ name }: { name: string }) {
  const t = useTexts()
  const words = useUsersWords()
  const kit = useKitWords()
  const faultWords = useFaultWords()
  const queries = useQueryClient()
  const key = ['user-state', name]
  const { data, error } = useQuery({ queryKey: key, queryFn: () => admin.userState(name), staleTime: 0, retry: false })
  const again = () => { void queries.invalidateQueries({ queryKey: key }) }
  return (
    <Card title={words.state}>
      {error && <Alert color="red" variant="outline" role="alert">{faultWords(error)}</Alert>}
      {!data && !error && <p className="soft">{kit.form.loading}</p>}
      {data && (
        <>
          <Facts of={[
            [words.state, data.lockedUntil ? <Badge tone="bad">{words.locked(t.format.moment(data.lockedUntil))}</Badge> : words.open],
            [words.failures, data.failures], [words.sessions, data.sessions], [words.secondFactor, data.secondFactor ? words.on : words.off],
            [words.lastLogIn, data.lastLogIn ? t.format.moment(data.lastLogIn) : words.never],
          ]} />
          <div className="row" style={{ marginTop: 14 }}>
            {data.lockedUntil && <CommandButton size="xs" act={async () => {
              await admin.unlock(name)
              tell(t, words.unlocked)
              again()
            }}>{words.unlock}</CommandButton>}
            {data.sessions > 0 && <ConfirmButton label={words.endSessions} title={words.endSessions} lead={words.endLead(name)} confirm={words.endSessions} danger
              act={() => admin.endSessions(name)} done={words.ended} onDone={again} />}
            {data.secondFactor && <ConfirmButton label={words.dropFactor} title={words.dropFactor} lead={words.dropLead(name)} confirm={words.dropFactor} danger
              act={() => admin.dropSecondFactor(name)} done={words.dropped} onDone={again} />}
          </div>
        </>
      )}
    </Card>
  )
}
