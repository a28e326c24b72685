// Notes on the call that is, or on the one just ended: wrap-up is for them. What is written survives a reload.
import { Textarea } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'

import { api } from '../api/client'
import { CommandButton, tell } from '../app/hooks'
import { useTexts } from '../texts'
import { Icon } from '../ui/icons'

import { keys, useShortcuts } from './shortcuts'

const LAST = 'sayso.last-call'
const draftKey = (call: string) => `sayso.note.${call}`

export function Notes({ call }: { call: string | null }) {
  const t = useTexts()
  const [last, setLast] = useState(() => sessionStorage.getItem(LAST))
  const field = useRef<HTMLTextAreaElement>(null)
  if (call !== null && call !== last) setLast(call)
  const about = call ?? last
  useEffect(() => { if (last) sessionStorage.setItem(LAST, last) }, [last])
  useShortcuts({ notes: about ? () => { field.current?.focus() } : undefined })
  if (!about) return null
  return (
    <section className="card" aria-label={t.notes.title}>
      <h2>{t.notes.title} {call === null && <span className="soft" style={{ fontWeight: 400 }}>· {t.notes.after}</span>}</h2>
      <NoteForm key={about} call={about} field={field} />
    </section>
  )
}

export function NoteForm({ call, field, onSaved }: {
  call: string; field?: React.RefObject<HTMLTextAreaElement | null>; onSaved?(): void
}) {
  const t = useTexts()
  const [text, setText] = useState(() => sessionStorage.getItem(draftKey(call)) ?? '')
  const write = (text: string) => {
    setText(text)
    if (text) sessionStorage.setItem(draftKey(call), text)
    else sessionStorage.removeItem(draftKey(call))
  }
  const save = async () => {
    await api.note(call, text.trim())
    write('')
    tell(t, t.notes.saved)
    onSaved?.()
  }
  return (
    <div className="stack" style={{ gap: 10 }}>
      <Textarea ref={field} aria-label={t.notes.field} placeholder={t.notes.field} value={text} autosize minRows={3} maxRows={10}
        maxLength={4000} onChange={(event) => { write(event.currentTarget.value) }} aria-keyshortcuts={keys('notes')} />
      <div className="row" style={{ justifyContent: 'flex-end' }}>
        <CommandButton act={save} disabled={!text.trim()} variant="default" leftSection={<Icon name="note" size={18} />}>{t.notes.save}</CommandButton>
      </div>
    </div>
  )
}
