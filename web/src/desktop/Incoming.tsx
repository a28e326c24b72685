// The call that rings: who, from which queue, since when; answer or decline, from any page.
import { Button } from '@mantine/core'
import { useEffect } from 'react'

import { Timer, useDesk, useLive, usePhone, useStore } from '../app/hooks'
import { go } from '../app/route'
import type { CallView } from '../api/types'
import { mine } from '../logic/mine'
import type { LineState } from '../phone/line'
import { useTexts, type Texts } from '../texts'
import { Icon } from '../ui/icons'

import { LampLine } from './Lamp'
import { keys, useShortcuts } from './shortcuts'

export function Incoming() {
  const { session } = useDesk()
  const { line } = usePhone()
  const live = useLive()
  const my = mine(live, session.agent)
  const call = (line?.call ? live.calls.get(line.call) : undefined) ?? my?.call ?? null
  if (line?.phase === 'ringing') return <Ringing line={line} call={call} />
  if (!line && my && ['dialled', 'ringing'].includes(my.party.state)) return <Elsewhere call={my.call} />
  return null
}

function Ringing({ line, call }: { line: LineState; call: CallView | null }) {
  const t = useTexts()
  const { phone } = useDesk()
  const caller = callerWords(t, call, line.caller)
  const answer = () => {
    go('desk')
    void phone.answer()
  }
  const decline = () => { phone.line?.hangUp() }
  useShortcuts({ answer, hangUp: decline })
  useNotice(t.call.announce(caller, call?.queue ?? t.common.unknown))
  return (
    <section className="card incoming" aria-label={t.call.incoming}>
      <div role="alert" className="hidden">{t.call.announce(caller, call?.queue ?? t.common.unknown)}</div>
      <div className="stack" style={{ gap: 10 }}>
        <div className="soft">{t.call.purpose[line.purpose]}</div>
        <h2 className="caller">{caller}</h2>
        {call && <CallFacts call={call} />}
        {call && <LampLine call={call} />}
      </div>
      <div className="row">
        <Button size="lg" color="green" onClick={answer} leftSection={<Icon name="answer" />} aria-keyshortcuts={keys('answer')}>
          {t.call.answer}
        </Button>
        <Button size="lg" color="red" variant="outline" onClick={decline} leftSection={<Icon name="hangUp" />}
          aria-keyshortcuts={keys('hangUp')}>{t.call.decline}</Button>
      </div>
    </section>
  )
}

function Elsewhere({ call }: { call: CallView }) {
  const t = useTexts()
  return (
    <section className="card incoming" aria-label={t.call.incoming}>
      <div className="stack" style={{ gap: 10 }}>
        <div className="soft" role="status">{t.call.deskPhone}</div>
        <h2 className="caller">{callerWords(t, call, null)}</h2>
        <CallFacts call={call} />
      </div>
    </section>
  )
}

export function CallFacts({ call }: { call: CallView }) {
  const t = useTexts()
  return (
    <dl className="facts">
      <div><dt>{t.call.queue}</dt><dd>{call.queue}</dd></div>
      {call.waitingSince && <div><dt>{t.call.waited}</dt><dd><Timer from={call.waitingSince} /></dd></div>}
      {call.connectedAt && <div><dt>{t.call.since}</dt><dd><Timer from={call.connectedAt} /></dd></div>}
      {call.firstQueue !== call.queue && <div><dt>{t.call.firstQueue}</dt><dd>{call.firstQueue}</dd></div>}
    </dl>
  )
}

export function callerWords(t: Texts, call: CallView | null, told: string | null): string {
  if (call) return call.caller ?? t.common.withheld
  return told && told !== 'anonymous' ? told : t.common.withheld
}

/** A browser notification while the page is out of sight, and the tab's title. */
function useNotice(words: string) {
  const t = useTexts()
  const { phone } = useDesk()
  const { notify } = useStore(phone.audio.preferences)
  useEffect(() => {
    const title = document.title
    document.title = `☎ ${t.call.incoming} · Sayso`
    let notice: Notification | null = null
    if (notify && document.hidden && 'Notification' in window && Notification.permission === 'granted') {
      notice = new Notification(t.call.incoming, { body: words, tag: 'sayso-call', requireInteraction: true })
      // A click brings the page; the answer is a press of its own, so that nobody is put through by accident.
      notice.onclick = () => { window.focus() }
    }
    return () => {
      document.title = title
      notice?.close()
    }
  }, [words, notify, t])
}
