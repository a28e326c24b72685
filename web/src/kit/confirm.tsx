// Questions before what cannot be undone, with a reason where one is kept; and how far long work is.
import { Alert, Button, Modal, Progress, Stack, Textarea, type ButtonProps } from '@mantine/core'
import { useState, type ReactNode } from 'react'

import { tell } from '../app/hooks'
import { useTexts } from '../texts'
import { useKitWords } from '../texts/admin/kit'

import { useFaultWords } from './fault'

interface Question {
  title: string
  lead: ReactNode
  /** What its button says. */
  confirm: string
  /** Whether a reason is written; `act` has it. */
  reason?: boolean
  danger?: boolean
  act(reason: string): Promise<unknown>
  /** After `act` went well. */
  onDone?(): void
  /** More fields. */
  children?: ReactNode
}

export function ConfirmDialog({ opened, onClose, ...question }: Question & { opened: boolean; onClose(): void }) {
  const words = useKitWords()
  return (
    <Modal opened={opened} onClose={onClose} title={question.title} closeButtonProps={{ 'aria-label': words.form.close }}>
      {opened && <ConfirmForm question={question} onClose={onClose} />}
    </Modal>
  )
}

function ConfirmForm({ question, onClose }: { question: Question; onClose(): void }) {
  const words = useKitWords()
  const faultWords = useFaultWords()
  const [reason, setReason] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async () => {
    if (question.reason && reason.trim() === '') {
      setFault(words.confirm.missing)
      return
    }
    setBusy(true)
    setFault(null)
    try {
      await question.act(reason.trim())
      onClose()
      question.onDone?.()
    } catch (error) {
      setFault(faultWords(error))
      setBusy(false)
    }
  }
  return (
    <form onSubmit={(event) => {
      event.preventDefault()
      void submit()
    }}>
      <Stack>
        <div>{question.lead}</div>
        {question.children}
        {question.reason && (
          <Textarea label={words.confirm.reason} value={reason} onChange={(event) => { setReason(event.currentTarget.value) }}
            autosize minRows={2} maxLength={1000} data-autofocus />
        )}
        <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
        <div className="row end">
          <Button variant="default" onClick={onClose}>{words.confirm.cancel}</Button>
          <Button type="submit" color={question.danger ? 'red' : undefined} loading={busy}>{question.confirm}</Button>
        </div>
      </Stack>
    </form>
  )
}

/** A button that asks first. */
export function ConfirmButton({ label, describe, done, button, ...question }: Question & {
  label: ReactNode
  /** Its whole name, where the label alone does not say what of: "Remove token ci". */
  describe?: string
  /** Told when it is done. */
  done?: string
  button?: ButtonProps
}) {
  const t = useTexts()
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button variant="default" size="xs" {...button} aria-label={describe} onClick={() => { setOpen(true) }}>{label}</Button>
      <ConfirmDialog {...question} opened={open} onClose={() => { setOpen(false) }} onDone={() => {
        if (done) tell(t, done)
        question.onDone?.()
      }} />
    </>
  )
}

/** How far long work is; `total` 0: nobody knows yet. */
export function Work({ label, done, total }: { label: string; done: number; total: number }) {
  const words = useKitWords()
  const share = total > 0 ? Math.min(100, (100 * done) / total) : 0
  return (
    <div style={{ minWidth: 140 }}>
      <Progress.Root size="lg">
        <Progress.Section value={total > 0 ? share : 100} animated={total === 0} striped={total === 0} aria-label={label}
          aria-valuetext={total > 0 ? words.work.done(done, total) : words.work.running} />
      </Progress.Root>
      <div className="soft small">{total > 0 ? words.work.done(done, total) : words.work.running}</div>
    </div>
  )
}
