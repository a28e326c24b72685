// The frame of all pages: who am I, where can I go, my state, and the call that rings wherever I am.
import { ActionIcon, Alert, Button } from '@mantine/core'
import { useEffect, useMemo, useState } from 'react'

import { api } from '../api/client'
import { LiveStream } from '../api/events'
import type { Session } from '../api/types'
import { Desk } from '../desktop/Desk'
import { Incoming } from '../desktop/Incoming'
import { ListeningLog } from '../desktop/ListeningLog'
import { MyCalls } from '../desktop/MyCalls'
import { Presence } from '../desktop/Presence'
import { ShortcutList, useShortcuts } from '../desktop/shortcuts'
import { may } from '../logic/mine'
import { Audio } from '../phone/audio'
import { Phone } from '../phone/phone'
import { administers, homeOf, pagesOf } from '../pages/registry'
import { useTexts } from '../texts'
import { useNavWords } from '../texts/admin/nav'
import { Icon } from '../ui/icons'
import { SupervisorBar } from '../wallboard/SupervisorBar'
import { Wallboard } from '../wallboard/Wallboard'

import { Admin } from './Admin'
import { DeskContext, useLive, usePhone, useStore, useDesk, useCommand } from './hooks'
import { Brand, LanguageMenu, ThemeMenu } from './menus'
import { address, usePlace, type Place } from './route'

/** The pages at the top; all others are the administration's. */
const OWN = ['desk', 'wallboard', 'calls', 'listening'] as const
type Own = (typeof OWN)[number]
const ownOf = (page: string) => OWN.find((own) => own === page)

export function Shell({ session, onLoggedOut, onEnded }: { session: Session; onLoggedOut(): void; onEnded(): void }) {
  // The session's user is the shell's key: another one gets another shell, and this one's phone lasts as long as it.
  const [phone] = useState(() => new Phone(new Audio()))
  const [live] = useState(() => new LiveStream(onEnded))
  const desk = useMemo(() => ({
    session, phone, live,
    logOut: () => {
      phone.stop()
      void api.logOut().finally(onLoggedOut)
    },
  }), [session, phone, live, onLoggedOut])
  useEffect(() => {
    live.start()
    if (session.agent !== null) phone.start()
    return () => {
      live.stop()
      phone.stop()
    }
  }, [live, phone, session.agent])
  return <DeskContext value={desk}><Frame /></DeskContext>
}

function Frame() {
  const t = useTexts()
  const { session } = useDesk()
  const words = useNavWords()
  const asked = usePlace()
  // `log-in` is where a provider sends back to.
  const place: Place = asked.page === '' || asked.page === 'log-in' ? { ...asked, page: firstPage(session) } : asked
  const own = ownOf(place.page)
  const title = own ? t.nav[own] : pagesOf(session).find(({ route }) => route === place.page)?.title(words) ?? words.administration
  const [help, setHelp] = useState(false)
  useShortcuts({ help: () => { setHelp(true) } })
  useEffect(() => { document.title = `${title} · Sayso` }, [title])
  return (
    <>
      <a className="skip" href="#main" onClick={(event) => {
        event.preventDefault()
        document.getElementById('main')?.focus()
      }}>{t.common.skip}</a>
      <Header own={own} onHelp={() => { setHelp(true) }} />
      <main id="main" tabIndex={-1} className="page">
        <Warnings />
        <Incoming />
        <SupervisorBar />
        {own ? <OwnPage page={own} /> : <Admin place={place} />}
      </main>
      <ShortcutList opened={help} onClose={() => { setHelp(false) }} />
    </>
  )
}

/** Where who has just logged in begins. */
function firstPage(session: Session): string {
  if (session.agent !== null) return 'desk'
  const first = administers(session) ? homeOf(session) : undefined
  return first?.route ?? (may(session, 'wallboard') ? 'wallboard' : 'desk')
}

function OwnPage({ page }: { page: Own }) {
  const { session } = useDesk()
  switch (page) {
    case 'desk': return <Desk />
    case 'wallboard': return may(session, 'wallboard') ? <Wallboard /> : null
    case 'calls': return <MyCalls />
    case 'listening': return <ListeningLog />
  }
}

function Header({ own, onHelp }: { own: Own | undefined; onHelp(): void }) {
  const t = useTexts()
  const words = useNavWords()
  const { session, logOut } = useDesk()
  const shown = OWN.filter((one) => one !== 'wallboard' || may(session, 'wallboard'))
  const first = homeOf(session)
  return (
    <header className="top">
      <div className="top-row">
        <Brand />
        <nav className="nav" aria-label={t.nav.label}>
          {shown.map((one) => (
            <a key={one} href={address(one)} aria-current={one === own ? 'page' : undefined}>{t.nav[one]}</a>
          ))}
          {first && administers(session) && <a href={address(first.route)} aria-current={own ? undefined : 'page'}>{words.administration}</a>}
        </nav>
        <span className="grow" />
        <LinkState />
        <a className="soft account" href={address('account')}><span className="hidden">{t.nav.account} </span>{session.name}</a>
        <div className="row" style={{ gap: 2 }}>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t.nav.shortcuts} onClick={onHelp}>
            <Icon name="keyboard" />
          </ActionIcon>
          <LanguageMenu />
          <ThemeMenu />
        </div>
        <Button variant="default" size="xs" onClick={logOut}>{t.nav.logout}</Button>
      </div>
      {session.agent !== null && <div className="top-row"><Presence agent={session.agent} /></div>}
    </header>
  )
}

function LinkState() {
  const t = useTexts()
  const { link } = useLive()
  return (
    <span role="status" className={`state ${link === 'lost' ? 'bad' : 'soft'}`} style={{ fontSize: '0.85rem' }}>
      <span className="dot" data-state={link} />{t.nav[link]}
    </span>
  )
}

/** What keeps the phone from working, and what to do. */
function Warnings() {
  const t = useTexts()
  const { phone } = useDesk()
  const { link, line, microphone } = usePhone()
  const waits = useStore(phone.audio.waitsForClick)
  const command = useCommand()
  return (
    <div className="stack" style={{ display: 'contents' }}>
      {link === 'elsewhere' && (
        <Alert color="yellow" variant="outline" role="status" icon={<Icon name="warning" />}>
          <div className="apart">{t.phone.elsewhereLead}
            <Button size="xs" onClick={() => { phone.takeOver() }}>{t.phone.useHere}</Button></div>
        </Alert>
      )}
      {microphone && (
        <Alert color="red" variant="outline" role="alert" icon={<Icon name="mute" />}>
          <div className="apart">{t.phone.microphone[microphone]}
            {microphone !== 'insecure' && (
              <Button size="xs" variant="default" onClick={() => { void command(() => phone.tryMicrophone()) }}>{t.common.retry}</Button>
            )}</div>
        </Alert>
      )}
      {waits && line && (
        <Alert color="yellow" variant="outline" role="alert" icon={<Icon name="ear" />}>
          <div className="apart">{t.phone.hearLead}
            <Button size="xs" onClick={() => { void phone.audio.play() }}>{t.phone.hear}</Button></div>
        </Alert>
      )}
    </div>
  )
}
