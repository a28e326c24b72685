// The recording lamp, and what the agent may do about it.
import { Button, Modal, Radio, Stack, Textarea } from '@mantine/core'
import { useState, type FormEvent } from 'react'

import { api } from '../api/client'
import type { CallView, Category } from '../api/types'
import { CommandButton, Timer, useCommand, useDesk, useKeepFocus, useLive } from '../app/hooks'
import { lamp } from '../logic/lamp'
import { may } from '../logic/mine'
import { useTexts } from '../texts'
import { Icon, LampSign } from '../ui/icons'

import { keys, useShortcuts } from './shortcuts'

function useLamp(call: CallView) {
  const t = useTexts()
  const { session } = useDesk()
  const { agents } = useLive()
  return lamp(call, t, { me: session.agent, agent: (id) => agents.get(id)?.name ?? id })
}

export function Lamp({ call }: { call: CallView }) {
  const t = useTexts()
  const { session } = useDesk()
  const command = useCommand()
  const { shape, headline, why } = useLamp(call)
  const [dialog, setDialog] = useState<'override' | 'withdraw' | null>(null)
  const { keep, check } = useKeepFocus<HTMLElement>('button')
  // The dialog tells of its end a moment before it is gone.
  const gone = () => { window.setTimeout(check) }
  const { recording } = call
  const can = (what: CallView['recording']['can'][number]) =>
    recording.can.includes(what) && (what !== 'override' || may(session, 'override'))
  const toggle = can('pause') ? 'pause' as const : can('resume') ? 'resume' as const : null
  useShortcuts({ record: toggle ? () => { void command(() => api.recording(call.id, toggle)) } : undefined })
  return (
    <section className="lamp" data-shape={shape} aria-label={t.recording.region} {...keep}>
      <LampSign shape={shape} />
      <div role="status" aria-label={t.lamp.label}>
        <span className="headline">{headline}</span> <span className="why">{why}</span>
      </div>
      <div className="timers">
        {recording.pausedAt && <div>{t.lamp.pausedFor} <Timer from={recording.pausedAt} /></div>}
        {recording.resumesAt && <div>{t.lamp.resumesIn} <Timer to={recording.resumesAt} /></div>}
      </div>
      <div className="actions">
        {can('pause') && (
          <CommandButton act={() => api.recording(call.id, 'pause')} variant="default" aria-keyshortcuts={keys('record')}
            leftSection={<Icon name="hold" size={18} />}>{t.recording.pause}</CommandButton>
        )}
        {can('resume') && (
          <CommandButton act={() => api.recording(call.id, 'resume')} aria-keyshortcuts={keys('record')}
            leftSection={<Icon name="resume" size={18} />}>{t.recording.resume}</CommandButton>
        )}
        {can('override') && (
          <Button variant="default" onClick={() => { setDialog('override') }}>{t.recording.override}</Button>
        )}
        {can('withdraw') && (
          <Button variant="default" onClick={() => { setDialog('withdraw') }}>{t.recording.withdraw}</Button>
        )}
      </div>
      <OverrideDialog call={call.id} opened={dialog === 'override'} onClose={() => { setDialog(null) }} onGone={gone} />
      <WithdrawDialog call={call.id} opened={dialog === 'withdraw'} onClose={() => { setDialog(null) }} onGone={gone} />
    </section>
  )
}

/** The lamp in one line: in tables, and while it rings. */
export function LampLine({ call }: { call: CallView }) {
  const { shape, headline, why } = useLamp(call)
  return (
    <span className="lamp-small" data-shape={shape}>
      <LampSign shape={shape} size={16} />
      <span><strong>{headline}</strong> <span className="soft">{why}</span></span>
    </span>
  )
}

interface DialogProps { call: string; opened: boolean; onClose(): void; onGone(): void }
const CATEGORIES: Category[] = ['emergency', 'legal', 'business']

function OverrideDialog({ call, opened, onClose, onGone }: DialogProps) {
  const t = useTexts()
  const command = useCommand()
  const [category, setCategory] = useState<Category>('emergency')
  const [reason, setReason] = useState('')
  const [missing, setMissing] = useState(false)
  const [busy, setBusy] = useState(false)
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    const words = reason.trim()
    setMissing(!words)
    if (!words) return
    setBusy(true)
    const done = await command(() => api.override(call, category, words))
    setBusy(false)
    if (!done) return
    setReason('')
    onClose()
  }
  return (
    <Modal opened={opened} onClose={onClose} onExitTransitionEnd={onGone} title={t.recording.overrideTitle} closeButtonProps={{ 'aria-label': t.common.close }}>
      <form onSubmit={(event) => { void submit(event) }} noValidate>
        <Stack>
          <p>{t.recording.overrideLead}</p>
          <Radio.Group label={t.recording.category} value={category} onChange={(value) => { setCategory(value as Category) }}>
            <Stack gap="xs" mt={6}>
              {CATEGORIES.map((one) => (
                <Radio key={one} value={one} label={t.category[one]} description={t.recording.categoryHint[one]} />
              ))}
            </Stack>
          </Radio.Group>
          <Textarea label={t.recording.reason} description={t.recording.reasonHint} value={reason} required autosize minRows={3} maxRows={8}
            maxLength={1000} error={missing ? t.recording.reasonMissing : null}
            onChange={(event) => {
              setReason(event.currentTarget.value)
              setMissing(false)
            }} data-autofocus />
          <div className="row" style={{ justifyContent: 'flex-end' }}>
            <Button variant="default" onClick={onClose}>{t.common.cancel}</Button>
            <Button type="submit" color="red" loading={busy}>{t.recording.start}</Button>
          </div>
        </Stack>
      </form>
    </Modal>
  )
}

function WithdrawDialog({ call, opened, onClose, onGone }: DialogProps) {
  const t = useTexts()
  return (
    <Modal opened={opened} onClose={onClose} onExitTransitionEnd={onGone} title={t.recording.withdrawTitle} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack>
        <p>{t.recording.withdrawLead}</p>
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={onClose} data-autofocus>{t.common.cancel}</Button>
          <CommandButton color="red" act={async () => {
            await api.recording(call, 'withdraw')
            onClose()
          }}>{t.recording.withdrawConfirm}</CommandButton>
        </div>
      </Stack>
    </Modal>
  )
}
