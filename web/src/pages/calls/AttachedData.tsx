// Keys and values attached to a call: seen as facts, changed as lines.
import { ActionIcon, Alert, Button, TextInput } from '@mantine/core'
import { useState } from 'react'

import { request } from '../../api/client'
import { tell } from '../../app/hooks'
import { Facts, useFaultWords } from '../../kit'
import { badData, dataOf } from '../../logic/data'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useRecordsWords } from '../../texts/admin/records'
import { Icon } from '../../ui/icons'

export function AttachedData({ path, data, readOnly, onSaved }: { path: string; data: Record<string, string>; readOnly: boolean; onSaved(): void }) {
  const words = useRecordsWords()
  const [editing, setEditing] = useState(false)
  if (editing) return <Lines path={path} data={data} onClose={() => { setEditing(false) }} onSaved={onSaved} />
  const pairs = Object.entries(data)
  return (
    <>
      {pairs.length === 0 ? <p className="soft">{words.calls.noData}</p> : <Facts of={pairs} />}
      {!readOnly && <Button mt="sm" size="xs" variant="default" onClick={() => { setEditing(true) }}>{words.calls.editData}</Button>}
    </>
  )
}

function Lines({ path, data, onClose, onSaved }: { path: string; data: Record<string, string>; onClose(): void; onSaved(): void }) {
  const t = useTexts()
  const words = useRecordsWords()
  const kit = useKitWords()
  const faultWords = useFaultWords()
  const [lines, setLines] = useState(() => [...Object.entries(data).map(([key, value]) => ({ key, value })), { key: '', value: '' }])
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const set = (at: number, part: Partial<{ key: string; value: string }>) => { setLines(lines.map((line, n) => (n === at ? { ...line, ...part } : line))) }
  const save = async () => {
    if (badData(lines)) {
      setFault(words.calls.dataTooMuch)
      return
    }
    setBusy(true)
    try {
      await request<void>('PUT', path, dataOf(lines))
      tell(t, words.saved)
      onSaved()
      onClose()
    } catch (error) {
      setFault(faultWords(error))
      setBusy(false)
    }
  }
  return (
    <form className="data-lines" aria-label={words.calls.data} onSubmit={(event) => {
      event.preventDefault()
      void save()
    }}>
      {lines.map(({ key, value }, n) => (
        <div key={n}>
          <TextInput size="xs" label={words.calls.key} value={key} onChange={(event) => { set(n, { key: event.currentTarget.value }) }} />
          <TextInput size="xs" label={words.calls.value} value={value} onChange={(event) => { set(n, { value: event.currentTarget.value }) }} />
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={words.calls.removeData(key)}
            onClick={() => { setLines(lines.filter((_, at) => at !== n)) }}><Icon name="cross" size={16} /></ActionIcon>
        </div>
      ))}
      <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
      <div className="row">
        <Button size="xs" variant="default" onClick={() => { setLines([...lines, { key: '', value: '' }]) }}>{words.calls.addData}</Button>
        <span className="grow" />
        <Button size="xs" variant="default" onClick={onClose}>{kit.form.cancel}</Button>
        <Button size="xs" type="submit" loading={busy}>{words.calls.saveData}</Button>
      </div>
    </form>
  )
}
