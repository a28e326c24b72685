// The conversation: who, since when, recorded or not and why, and all that can be done with it.
import { Alert, Badge, Button } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'

import { api } from '../api/client'
import { CommandButton, tell, useDesk, useKeepFocus, usePhone } from '../app/hooks'
import { abilities, cameBack, type Mine } from '../logic/mine'
import type { LineState } from '../phone/line'
import { useTexts, type Texts } from '../texts'
import { Icon } from '../ui/icons'

import { CallFacts, callerWords } from './Incoming'
import { Keypad } from './Keypad'
import { Lamp } from './Lamp'
import { keys, useShortcuts } from './shortcuts'
import { TransferDialog } from './Transfer'

export function CallPanel({ my, line }: { my: Mine | null; line: LineState | null }) {
  const t = useTexts()
  const heading = useRef<HTMLHeadingElement>(null)
  const { keep } = useKeepFocus<HTMLElement>('part')
  // "Answer" is gone with its card: the focus goes on to the call, not to the page's beginning.
  useEffect(() => { if (document.activeElement === document.body) heading.current?.focus() }, [])
  const asked = useCameBack(my)
  const guest = my?.party.state === 'consulted'
  return (
    <section className="card call stack" aria-label={t.call.title} {...keep}>
      <div className="apart" style={{ alignItems: 'flex-start' }}>
        <div>
          <h2 className="caller" ref={heading} tabIndex={-1}>{callerWords(t, my?.call ?? null, line?.caller ?? null)}</h2>
          {my ? <CallFacts call={my.call} /> : <p className="soft">{t.call.answering}</p>}
        </div>
        {my && <Badge size="lg" variant="outline" color="gray" tt="none">{t.call.phases[my.call.phase]}</Badge>}
      </div>
      {(line ? line.media === 'interrupted' : my?.party.state === 'lost') && (
        <Alert color="red" variant="outline" role="alert" icon={<Icon name="warning" />}>{t.phone.interrupted}</Alert>
      )}
      {my && !guest && <Lamp call={my.call} />}
      {guest && <Alert color="navy" variant="outline" role="status">{t.transfer.guest}</Alert>}
      {my && <Second my={my} onBack={asked} />}
      <LineNotes line={line} />
      <Controls my={my} line={line} />
      {my && <Parties my={my} />}
    </section>
  )
}

function LineNotes({ line }: { line: LineState | null }) {
  const t = useTexts()
  return (
    <div role="status" className="row" style={line?.held || line?.muted ? undefined : { display: 'contents' }}>
      {line?.held && <Badge size="lg" color="yellow" variant="outline" c="var(--warn)" tt="none" leftSection={<Icon name="hold" size={14} />}>{t.call.held}</Badge>}
      {line?.muted && <Badge size="lg" color="red" variant="outline" c="var(--bad)" tt="none" leftSection={<Icon name="mute" size={14} />}>{t.call.muted}</Badge>}
    </div>
  )
}

function Controls({ my, line }: { my: Mine | null; line: LineState | null }) {
  const t = useTexts()
  const { phone } = useDesk()
  const [keypad, setKeypad] = useState(false)
  const [transfer, setTransfer] = useState(false)
  const can = my ? abilities(my) : null
  const talking = line?.phase === 'talking'
  const mute = talking ? () => { phone.line?.setMuted(!line.muted) } : undefined
  // Without signalling the request would go nowhere.
  const signals = usePhone().link === 'registered'
  const hold = talking && signals && (can?.hold || line.held) ? () => { phone.line?.setHeld(!line.held) } : undefined
  const hangUp = () => { phone.line?.hangUp() }
  const toggleKeypad = () => { setKeypad((open) => !open) }
  useShortcuts({
    hangUp: line ? hangUp : undefined, mute, hold,
    keypad: talking ? toggleKeypad : undefined,
    transfer: can?.transfer ? () => { setTransfer(true) } : undefined,
  })
  return (
    <>
      <div className="row">
        <Button color="red" onClick={hangUp} disabled={!line} leftSection={<Icon name="hangUp" size={18} />}
          aria-keyshortcuts={keys('hangUp')}>{t.call.hangUp}</Button>
        <Button variant="default" onClick={hold} disabled={!hold} aria-keyshortcuts={keys('hold')}
          leftSection={<Icon name={line?.held ? 'resume' : 'hold'} size={18} />}>{line?.held ? t.call.resume : t.call.hold}</Button>
        <Button variant="default" onClick={mute} disabled={!mute} aria-keyshortcuts={keys('mute')}
          leftSection={<Icon name={line?.muted ? 'mute' : 'microphone'} size={18} />}>{line?.muted ? t.call.unmute : t.call.mute}</Button>
        <Button variant="default" onClick={toggleKeypad} disabled={!talking} aria-expanded={keypad} aria-keyshortcuts={keys('keypad')}
          leftSection={<Icon name="keypad" size={18} />}>{t.call.keypad}</Button>
        <Button variant="default" onClick={() => { setTransfer(true) }} disabled={!can?.transfer} aria-keyshortcuts={keys('transfer')}
          leftSection={<Icon name="transfer" size={18} />}>{t.call.transfer}</Button>
      </div>
      {keypad && talking && <Keypad onDigit={(digit) => { phone.line?.digit(digit) }} />}
      {my && <TransferDialog call={my.call.id} opened={transfer} onClose={() => { setTransfer(false) }} />}
    </>
  )
}

/** Tells why a transfer or consultation is over, unless the agent ended it: what is given back is to be called then. */
function useCameBack(my: Mine | null): () => void {
  const t = useTexts()
  const before = useRef<Mine | null>(null)
  const own = useRef(false)
  useEffect(() => {
    const how = cameBack(before.current, my)
    if (how && !own.current) tell(t, t.transfer[how], how === 'unreached')
    if (my?.call.phase === 'talking') own.current = false
    before.current = my
  }, [my, t])
  return () => { own.current = true }
}

/** While somebody else is asked, joins, or the call is on its way. */
function Second({ my, onBack }: { my: Mine; onBack(): void }) {
  const t = useTexts()
  const can = abilities(my)
  const words = secondWords(t, my)
  if (words === null) return null
  const { id } = my.call
  return (
    <section className="card stack" style={{ gap: 10 }} aria-label={t.call.phases[my.call.phase]}>
      <p role="status">{words}</p>
      {can.owner && (
        <div className="row">
          {can.complete && <CommandButton act={() => api.complete(id)} leftSection={<Icon name="transfer" size={18} />}>{t.transfer.complete}</CommandButton>}
          {my.call.phase === 'consulting' && (
            <CommandButton act={() => api.threeWay(id)} variant="default" disabled={!can.threeWay}
              leftSection={<Icon name="people" size={18} />}>{t.transfer.threeWay}</CommandButton>
          )}
          {can.back && <CommandButton act={() => {
            onBack()
            return api.back(id)
          }} variant="default" leftSection={<Icon name="back" size={18} />}>{t.transfer.back}</CommandButton>}
        </div>
      )}
    </section>
  )
}

function secondWords(t: Texts, { call, party, others }: Mine): string | null {
  if (party.state === 'consulted') return null
  const other = others.find(({ kind }) => kind !== 'supervisor')
  if (call.phase === 'transferring') return t.transfer.transferring
  if (call.phase === 'conference') return t.transfer.conference
  if (call.phase !== 'consulting') return null
  if (!other) return t.transfer.queued
  return other.state === 'dialled' || other.state === 'ringing' ? t.transfer.reaching(other.name) : t.transfer.consulting(other.name)
}

function Parties({ my }: { my: Mine }) {
  const t = useTexts()
  if (my.others.length === 0) return null
  return (
    <div>
      <h2 className="soft" style={{ fontSize: '0.85rem' }}>{t.call.parties}</h2>
      <ul style={{ margin: '4px 0 0', paddingLeft: 20 }}>
        {my.others.map((party) => <li key={party.leg}>{party.name}: {t.call.party[party.state]}</li>)}
      </ul>
    </div>
  )
}
