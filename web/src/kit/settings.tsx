// Pages of settings of one kind: the list of all, one of them opened (`#/queues/support`), a new one (`#/queues/~new`).
import { Button, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'

import type { Kind, Named } from '../api/admin'
import { admin, kindPath } from '../api/admin-client'
import { address, go } from '../app/route'
import { useKitWords } from '../texts/admin/kit'

import { DocumentForm, useDocument, type DocumentState } from './document'
import { goodName } from './fields'
import { PageFrame } from './page'
import { LocalTable, type Column, type Filter } from './table'

/** No name of an object has this sign. */
export const NEW = '~new'

/** All of a kind. */
export function useAll<T>(kind: Kind, enabled = true) {
  return useQuery({ queryKey: ['list', `/${kind}`], queryFn: () => admin.all<T>(kind), staleTime: 0, enabled, select: ({ items }) => items })
}

/** The names of all of a kind; those that may not be seen are none. */
export function useNames(kind: Kind, enabled = true): string[] {
  return (useAll(kind, enabled).data ?? []).map(({ name }) => name)
}

export interface FormProps<T> { of: DocumentState<T>; draft: T; name: string }

interface SettingsProps<T extends object> {
  kind: Kind
  /** What the address says after the kind. */
  parts: string[]
  title: string
  lead: string
  /** What "new" is called: "New queue". */
  add: string
  empty: string
  /** Beside the name, which comes first. */
  columns: Column<Named<T>>[]
  filters?: Filter[]
  fits?(row: Named<T>, filter: string, value: string): boolean
  fresh: T
  /** Words of its keys. */
  names: Record<string, string>
  mayChange: boolean
  nameField?: { label: string; hint?: string; more?: string; placeholder?: string }
  Form(props: FormProps<T>): ReactNode
  /** Below the form of what is stored. */
  Beside?(props: { name: string; document: T }): ReactNode
  /** Before the list's other buttons, and below the list. */
  tools?: ReactNode
  below?: ReactNode
  /** In place of the usual form for a new one. */
  wizard?: ReactNode
}

export function SettingsPage<T extends object>(props: SettingsProps<T>) {
  const [name] = props.parts
  if (name === NEW) return props.wizard ?? <Fresh {...props} />
  return name === undefined ? <All {...props} /> : <One key={name} {...props} name={name} />
}

function All<T extends object>({ kind, title, lead, add, empty, columns, filters, fits, mayChange, nameField, tools, below }: SettingsProps<T>) {
  const words = useKitWords()
  const { data, error, refetch } = useAll<T>(kind)
  const name: Column<Named<T>> = {
    key: 'name', label: nameField?.label ?? words.form.name, value: (row) => row.name, nowrap: true,
    cell: (row) => <a href={address(kind, [row.name])}>{row.name}</a>,
  }
  return (
    <PageFrame title={title} lead={lead} tools={<>
      {tools}
      {mayChange && <Button component="a" href={address(kind, [NEW])}>{add}</Button>}
    </>}>
      <section className="card" aria-label={title}>
        <LocalTable label={title} file={kind} rows={data} error={error} columns={[name, ...columns]} filters={filters} fits={fits} rowKey={(row) => row.name}
          empty={empty} onRefresh={() => { void refetch() }} />
      </section>
      {below}
    </PageFrame>
  )
}

function One<T extends object>({ kind, title, names, mayChange, name, Form, Beside }: SettingsProps<T> & { name: string }) {
  const of = useDocument<T>(kindPath(kind, name), { lists: [`/${kind}`] })
  return (
    <PageFrame title={name} back={{ label: title, page: kind }}>
      <section className="card" aria-label={name}>
        <DocumentForm of={of} label={name} names={names} readOnly={!mayChange} remove={{ name, onDone: () => { go(kind) } }}>
          {(draft) => <Form of={of} draft={draft} name={name} />}
        </DocumentForm>
      </section>
      {of.stored && Beside && <Beside name={name} document={of.stored} />}
    </PageFrame>
  )
}

function Fresh<T extends object>(props: SettingsProps<T>) {
  const { kind, title, add, names, nameField, fresh, Form } = props
  const words = useKitWords()
  const [name, setName] = useState('')
  const [asked, setAsked] = useState(false)
  const of = useDocument<T>(kindPath(kind, name), { fresh, lists: [`/${kind}`] })
  const good = goodName(name, nameField?.more)
  // Nothing is sent to a path without a name.
  const checked: DocumentState<T> = { ...of, save: async () => {
    setAsked(true)
    return good && of.save()
  } }
  return (
    <PageFrame title={add} back={{ label: title, page: kind }}>
      <section className="card" aria-label={add}>
        <DocumentForm of={checked} label={add} names={names} onSaved={() => { go(kind, [name]) }}>
          {(draft) => (
            <>
              <TextInput label={nameField?.label ?? words.form.name} description={nameField?.hint ?? words.form.nameHint} value={name} autoFocus autoComplete="off"
                placeholder={nameField?.placeholder} error={asked && !good ? words.form.nameBad : undefined} maw={360}
                onChange={(event) => { setName(event.currentTarget.value.trim()) }} />
              <Form of={checked} draft={draft} name={name} />
            </>
          )}
        </DocumentForm>
      </section>
    </PageFrame>
  )
}
