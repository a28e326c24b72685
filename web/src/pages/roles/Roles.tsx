// Roles: the fixed ones to look at and copy, those of the house to change.
import { Alert, Button, Table } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'

import type { Named, RoleDocument, UserDocument } from '../../api/admin'
import { admin } from '../../api/admin-client'
import type { Role } from '../../api/types'
import { useDesk } from '../../app/hooks'
import { address, useQueryPart } from '../../app/route'
import { Card, NEW, SettingsPage, TextField, useAll, useFaultWords, type Column, type FormProps } from '../../kit'
import { may } from '../../logic/mine'
import { useRolesWords } from '../../texts/admin/roles'

import { ALL_RIGHTS, isSpecial } from './rights'
import { RightsField } from './RightsField'

export default function Roles({ parts }: { parts: string[] }) {
  const words = useRolesWords()
  const { session } = useDesk()
  const [query] = useQueryPart()
  const { data: fixed } = useQuery({ queryKey: ['default-roles'], queryFn: admin.defaultRoles, staleTime: Infinity })
  const { data: users } = useAll<UserDocument>('users', may(session, 'manage-users'))
  const columns = useMemo((): Column<Named<RoleDocument>>[] => {
    const having = (name: string) => (users ?? []).filter(({ document }) => document.role === name).length
    return [
      { key: 'description', label: words.names.description, value: ({ document }) => document.description ?? '', cell: ({ document }) => document.description },
      { key: 'rights', label: words.names.rights, value: ({ document }) => (document.rights ?? []).length, cell: ({ document }) => words.rightsN((document.rights ?? []).length) },
      { key: 'users', label: words.usedBy, value: ({ name }) => having(name), cell: ({ name }) => having(name), right: true },
    ]
  }, [words, users])
  // A copy waits for the role it copies.
  const from = query.from as Role | undefined
  const copied = fixed?.roles.find(({ name }) => name === from)
  if (parts[0] === NEW && from && !fixed) return null
  const fresh: RoleDocument = copied ? { description: words.from(words.roles[copied.name]), rights: copied.rights } : { rights: [] }
  return (
    <SettingsPage<RoleDocument> kind="roles" parts={parts} title={words.title} lead={words.lead} add={words.add} empty={words.empty} columns={columns}
      fresh={fresh} names={words.names} mayChange={may(session, 'manage-roles')} Form={Editor} below={<Fixed />} />
  )
}

function Editor({ of, draft }: FormProps<RoleDocument>) {
  const words = useRolesWords()
  return (
    <>
      <TextField label={words.names.description} value={draft.description} error={of.wrong('description')} onChange={(description) => { of.change({ description }) }} />
      <RightsField offered={ALL_RIGHTS.filter((right) => !isSpecial(right))} value={draft.rights ?? []} onChange={(rights) => { of.change({ rights }) }} />
      <div className="soft">{words.special}<ul className="plain-list">{ALL_RIGHTS.filter(isSpecial).map((right) => <li key={right}>{words.rights[right]}</li>)}</ul></div>
    </>
  )
}

function Fixed() {
  const words = useRolesWords()
  const faultWords = useFaultWords()
  const { session } = useDesk()
  const { data, error } = useQuery({ queryKey: ['default-roles'], queryFn: admin.defaultRoles, staleTime: Infinity })
  return (
    <Card title={words.fixed}>
      <p className="soft">{words.fixedLead}</p>
      {error && <Alert color="red" variant="outline" role="alert">{faultWords(error)}</Alert>}
      <Table className="plain">
        <caption className="hidden">{words.fixed}</caption>
        <Table.Thead><Table.Tr><Table.Th>{words.title}</Table.Th><Table.Th>{words.names.rights}</Table.Th><Table.Th><span className="hidden">{words.copy}</span></Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {(data?.roles ?? []).map(({ name, rights }) => (
            <Table.Tr key={name}>
              <Table.Th scope="row" style={{ whiteSpace: 'nowrap' }}>{words.roles[name]}</Table.Th>
              <Table.Td>
                <details><summary>{words.rightsN(rights.length)}</summary>
                  <ul className="plain-list">{rights.map((right) => <li key={right}>{words.rights[right]}</li>)}</ul></details>
              </Table.Td>
              <Table.Td ta="right">
                {may(session, 'manage-roles') && (
                  <Button component="a" size="compact-sm" variant="default" href={address('roles', [NEW], { from: name })} aria-label={words.copyOf(words.roles[name])}>{words.copy}</Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Card>
  )
}
