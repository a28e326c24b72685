// The agent's page: the call in the middle; phone, notes and queues beside it.
import { useEffect, useRef, useState } from 'react'

import { mine } from '../logic/mine'
import { useDesk, useLive, usePhone } from '../app/hooks'
import { useTexts } from '../texts'
import { Icon } from '../ui/icons'

import { CallPanel } from './CallPanel'
import { Notes } from './Notes'
import { PhoneCard } from './PhoneCard'
import { YourQueues } from './YourQueues'

export function Desk() {
  const t = useTexts()
  const { session } = useDesk()
  const live = useLive()
  const { line } = usePhone()
  const my = mine(live, session.agent)
  const ringing = line?.phase === 'ringing' || (my !== null && ['dialled', 'ringing'].includes(my.party.state))
  const supervising = line?.purpose === 'supervise'
  const inCall = !ringing && (my !== null || (line !== null && !supervising))
  const [wasInCall, setWasInCall] = useState(false)
  if (inCall && !wasInCall) setWasInCall(true)
  return (
    <div className="desk">
      <h1 className="hidden">{t.nav.desk}</h1>
      <div className="stack">
        {inCall ? <CallPanel my={my} line={supervising ? null : line} /> : !ringing && <Idle afterCall={wasInCall} />}
        <Notes call={inCall ? my?.call.id ?? null : null} />
      </div>
      <div className="side">
        {session.agent !== null && <PhoneCard />}
        <YourQueues />
      </div>
    </div>
  )
}

function Idle({ afterCall }: { afterCall: boolean }) {
  const t = useTexts()
  const { session } = useDesk()
  const part = useRef<HTMLElement>(null)
  // "Hang up" is gone with its call.
  useEffect(() => { if (afterCall && document.activeElement === document.body) part.current?.focus() }, [afterCall])
  return (
    <section className="card idle" aria-label={t.call.title} ref={part} tabIndex={-1}>
      <Icon name="phone" size={40} />
      <h2>{session.agent === null ? t.presence.noAgent : t.call.none}</h2>
      {session.agent !== null && <p>{t.call.noneLead}</p>}
    </section>
  )
}
