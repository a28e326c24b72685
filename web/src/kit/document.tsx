// A document of settings: read with its version (ETag), changed as a draft, written back if nobody else was faster; if
// somebody was, both versions are shown, and what shall hold is chosen key by key.
import { Alert, Button, Checkbox, Loader, Modal, SegmentedControl, Stack, Table } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState, type ReactNode } from 'react'

import { exchange, Fault } from '../api/client'
import { tell } from '../app/hooks'
import { useTexts } from '../texts'
import { useKitWords } from '../texts/admin/kit'

import { ConfirmButton } from './confirm'
import { differences, merged, same, shown, suggested } from './differences'
import { useFaultWords } from './fault'
import { readDocument, writeDocument, type Stored } from './stored'

export interface Conflict<T> { mine: T; base: T; theirs: Stored<T> | null }

export interface DocumentState<T> {
  /** Undefined until it is read. */
  draft: T | undefined
  /** As it is stored; undefined: it is new, or not read yet. */
  stored: T | undefined
  fault: unknown
  isNew: boolean
  dirty: boolean
  busy: boolean
  /** What the server found wrong at which key at the last attempt. */
  errors: { key: string; what: string }[]
  conflict: Conflict<T> | null
  /** Changes some keys; `undefined` unsets one. */
  change(part: Partial<T>): void
  revert(): void
  /** Whether it is stored now. */
  save(): Promise<boolean>
  /** `confirmed`: a queue, although what it keeps goes sooner then. */
  remove(confirmed: boolean): Promise<void>
  /** Ends a conflict: null takes theirs. */
  settle(choice: T | null): Promise<void>
  /** The words of what is wrong with a key. */
  wrong(key: string): string | undefined
}

/** `fresh`: a new document begins like this, and nothing is read. `path` may change while it is new. */
export function useDocument<T extends object>(path: string, { fresh, lists = [] }: { fresh?: T; lists?: string[] } = {}): DocumentState<T> {
  const queries = useQueryClient()
  const isNew = fresh !== undefined
  const { data, error } = useQuery({ queryKey: ['document', path], queryFn: () => readDocument<T>(path), enabled: !isNew, staleTime: 0, refetchOnMount: 'always' })
  const [base, setBase] = useState<Stored<T> | undefined>(isNew ? { document: fresh, version: null } : undefined)
  const [draft, setDraft] = useState<T | undefined>(fresh)
  const [conflict, setConflict] = useState<Conflict<T> | null>(null)
  const [errors, setErrors] = useState<{ key: string; what: string }[]>([])
  const [busy, setBusy] = useState(false)
  const dirty = draft !== undefined && base !== undefined && (isNew || !same(draft, base.document))
  // What is read anew replaces what nobody touched; a draft stays, and its conflict shows when it is saved.
  useEffect(() => {
    if (!data || (dirty && base)) return
    setBase(data)
    setDraft(data.document)
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only what was read sets it
  }, [data])
  useEffect(() => {
    if (!dirty || isNew) return
    const ask = (event: BeforeUnloadEvent) => { event.preventDefault() }
    window.addEventListener('beforeunload', ask)
    return () => { window.removeEventListener('beforeunload', ask) }
  }, [dirty, isNew])

  const settled = (now: Stored<T>) => {
    setBase(now)
    setDraft(now.document)
    setConflict(null)
    queries.setQueryData(['document', path], now)
    for (const list of lists) void queries.invalidateQueries({ queryKey: ['list', list] })
  }
  const write = async (document: T, from: Stored<T>): Promise<boolean> => {
    setBusy(true)
    setErrors([])
    try {
      settled(await writeDocument(path, document, from.version))
      return true
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (fault.status === 422) setErrors(fault.errors.length > 0 ? fault.errors : [{ key: '', what: fault.message }])
      // A new one whose name is taken is no conflict of two versions.
      if (fault.status === 412 && from.version !== null) {
        setConflict({ mine: document, base: from.document, theirs: await theirsNow<T>(path) })
        return false
      }
      throw fault
    } finally {
      setBusy(false)
    }
  }
  return {
    draft, stored: isNew ? undefined : base?.document, fault: error, isNew, dirty, busy, errors, conflict,
    change: (part) => { setDraft((now) => now && without({ ...now, ...part })) },
    revert: () => {
      setDraft(base?.document)
      setErrors([])
    },
    save: async () => (draft && base ? write(draft, base) : false),
    remove: async (confirmed) => {
      await exchange('DELETE', `${path}${confirmed ? '?confirm=true' : ''}`, undefined, base?.version ? { 'If-Match': base.version } : {})
      queries.removeQueries({ queryKey: ['document', path] })
      for (const list of lists) void queries.invalidateQueries({ queryKey: ['list', list] })
    },
    settle: async (choice) => {
      // It is gone: the draft stays for who wants to copy from it.
      if (!conflict?.theirs) setConflict(null)
      else if (choice === null) settled(conflict.theirs)
      else await write(choice, conflict.theirs)
    },
    wrong: (key) => errors.filter((one) => one.key === key || one.key.endsWith(`.${key}`)).map(({ what }) => what).join('; ') || undefined,
  }
}

async function theirsNow<T>(path: string): Promise<Stored<T> | null> {
  try {
    return await readDocument<T>(path)
  } catch (fault) {
    if (fault instanceof Fault && fault.status === 404) return null
    throw fault
  }
}

/** An unset key is no key. */
function without<T extends object>(document: T): T {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined)) as T
}

/**
 * A document's form: its fields, what is wrong, and the buttons that save, discard and remove. `children` are drawn when it
 * is read; `names` are the words of its keys, for the table of a conflict.
 */
export function DocumentForm<T extends object>({ of, label, names, readOnly, onSaved, remove, children }: {
  of: DocumentState<T>
  /** What the form is called. */
  label: string
  names?: Record<string, string>
  readOnly?: boolean
  onSaved?(): void
  remove?: { name: string; onDone(): void }
  children(draft: T): ReactNode
}) {
  const t = useTexts()
  const words = useKitWords()
  const faultWords = useFaultWords()
  const [fault, setFault] = useState<string | null>(null)
  if (of.fault && !of.draft) return <Alert color="red" variant="outline" role="alert">{faultWords(of.fault)}</Alert>
  if (!of.draft) return <div className="row" role="status"><Loader size="sm" />{words.form.loading}</div>
  const save = async () => {
    setFault(null)
    try {
      if (!(await of.save())) return
      tell(t, words.form.saved)
      onSaved?.()
    } catch (error) {
      if (error instanceof Fault && error.status === 422) return
      setFault(of.isNew && error instanceof Fault && error.status === 412 ? words.form.exists : faultWords(error))
    }
  }
  return (
    <form aria-label={label} onSubmit={(event) => {
      event.preventDefault()
      void save()
    }} noValidate>
      <fieldset disabled={readOnly} className="bare">
        <Stack>{children(of.draft)}</Stack>
      </fieldset>
      <div role="alert" style={{ marginTop: 12 }}>
        {fault && <Alert color="red" variant="outline">{fault}</Alert>}
        {of.errors.length > 0 && (
          <Alert color="red" variant="outline" title={words.form.wrong}>
            <ul className="plain-list">{of.errors.map(({ key, what }) => <li key={key + what}>{key && <strong>{nameOf(key, names)}: </strong>}{what}</li>)}</ul>
          </Alert>
        )}
      </div>
      {readOnly ? <p className="soft">{words.form.readOnly}</p> : (
        <div className="form-end">
          <Button type="submit" loading={of.busy} disabled={!of.dirty}>{of.isNew ? words.form.create : words.form.save}</Button>
          {!of.isNew && <Button variant="default" disabled={!of.dirty} onClick={of.revert}>{words.form.revert}</Button>}
          <span role="status" className="soft">{of.dirty && !of.isNew ? words.form.unsaved : ''}</span>
          <span className="grow" />
          {remove && !of.isNew && <RemoveButton of={of} {...remove} />}
        </div>
      )}
      {of.conflict && <ConflictDialog of={of} conflict={of.conflict} names={names} onSaved={onSaved} />}
    </form>
  )
}

/** Where the server says that recordings would go sooner with it, that has to be meant as well. */
function RemoveButton<T extends object>({ of, name, onDone }: { of: DocumentState<T>; name: string; onDone(): void }) {
  const words = useKitWords()
  const [keeps, setKeeps] = useState(false)
  const [meant, setMeant] = useState(false)
  const act = async () => {
    try {
      await of.remove(meant)
    } catch (error) {
      if (error instanceof Fault && error.title === 'keeps-recordings') setKeeps(true)
      throw error
    }
  }
  return (
    <ConfirmButton label={words.form.remove} title={words.form.remove} lead={words.form.removeLead(name)} confirm={words.form.remove}
      danger act={act} done={words.form.removed} onDone={onDone} button={{ color: 'red', variant: 'subtle', size: 'sm' }}>
      {keeps && <Checkbox label={words.form.removeKept} checked={meant} onChange={(event) => { setMeant(event.currentTarget.checked) }} />}
    </ConfirmButton>
  )
}

/** `queue.support.max-wait` is called as `max-wait` is. */
const nameOf = (key: string, names: Record<string, string> = {}) => names[key] ?? names[key.split('.').at(-1) ?? ''] ?? key

function ConflictDialog<T extends object>({ of, conflict, names, onSaved }: {
  of: DocumentState<T>; conflict: Conflict<T>; names?: Record<string, string>; onSaved?: () => void
}) {
  const t = useTexts()
  const words = useKitWords()
  const faultWords = useFaultWords()
  const { theirs, mine, base } = conflict
  const all = theirs ? differences(base, mine, theirs.document) : []
  const [picks, setPicks] = useState(() => Object.fromEntries(all.map((one) => [one.key, suggested(one)])))
  const [fault, setFault] = useState<string | null>(null)
  const settle = async (choice: T | null) => {
    setFault(null)
    try {
      await of.settle(choice)
      if (choice === null) return
      tell(t, words.form.saved)
      onSaved?.()
    } catch (error) {
      setFault(faultWords(error))
    }
  }
  const value = (of: unknown, key: string) => shown(of, key) || <span className="soft">{words.conflict.unset}</span>
  return (
    <Modal opened onClose={() => { void settle(null) }} title={words.conflict.title} size="xl" closeButtonProps={{ 'aria-label': words.conflict.takeTheirs }}>
      <Stack>
        <p>{!theirs ? words.conflict.gone : all.length === 0 ? words.conflict.none : words.conflict.lead}</p>
        {all.length > 0 && (
          <Table className="plain">
            <Table.Thead><Table.Tr>
              <Table.Th>{words.conflict.field}</Table.Th><Table.Th>{words.conflict.before}</Table.Th><Table.Th>{words.conflict.mine}</Table.Th>
              <Table.Th>{words.conflict.theirs}</Table.Th><Table.Th><span className="hidden">{words.conflict.choose}</span></Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {all.map((one) => (
                <Table.Tr key={one.key}>
                  <Table.Th scope="row">{nameOf(one.key, names)}</Table.Th>
                  <Table.Td>{value(one.before, one.key)}</Table.Td><Table.Td>{value(one.mine, one.key)}</Table.Td><Table.Td>{value(one.theirs, one.key)}</Table.Td>
                  <Table.Td>
                    <SegmentedControl size="xs" aria-label={nameOf(one.key, names)} value={picks[one.key]}
                      onChange={(pick) => { setPicks({ ...picks, [one.key]: pick as 'mine' | 'theirs' }) }}
                      data={[{ value: 'mine', label: words.conflict.mine }, { value: 'theirs', label: words.conflict.theirs }]} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
        <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
        <div className="row end">
          {theirs && <Button variant="default" onClick={() => { void settle(null) }}>{words.conflict.takeTheirs}</Button>}
          {theirs && <Button loading={of.busy} onClick={() => { void settle(merged(mine, theirs.document, picks)) }}>{words.conflict.save}</Button>}
        </div>
      </Stack>
    </Modal>
  )
}
