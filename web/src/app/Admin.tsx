// The frame of the administrators' pages: their menu, and the page that was asked for.
import { Alert, Button, Loader } from '@mantine/core'
import { Component, Suspense, useState, type ReactNode } from 'react'

import { GROUPS, homeOf, pagesOf } from '../pages/registry'
import { useTexts } from '../texts'
import { useNavWords } from '../texts/admin/nav'

import { useDesk } from './hooks'
import { address, type Place } from './route'

export function Admin({ place }: { place: Place }) {
  const words = useNavWords()
  const { session } = useDesk()
  const [open, setOpen] = useState(false)
  const pages = pagesOf(session)
  const home = homeOf(session)
  const now = pages.find(({ route }) => route === place.page)
  return (
    <div className="admin">
      <Button className="admin-menu" variant="default" aria-expanded={open} aria-controls="admin-nav" onClick={() => { setOpen(!open) }}>{words.menu}</Button>
      <nav className="admin-nav" id="admin-nav" data-open={open} aria-label={words.label}>
        {GROUPS.map((group) => {
          const shown = pages.filter((page) => page.group === group)
          return shown.length > 0 && (
            <div key={group}>
              <h2 id={`group-${group}`}>{words.groups[group]}</h2>
              <ul aria-labelledby={`group-${group}`}>
                {shown.map((page) => (
                  <li key={page.route}>
                    <a href={address(page.route)} aria-current={page === now ? 'page' : undefined} onClick={() => { setOpen(false) }}>{page.title(words)}</a>
                  </li>
                ))}
              </ul>
            </div>
          )
        })}
      </nav>
      <div>
        {now ? (
          <Broken key={now.route}>
            <Suspense fallback={<Waiting />}><now.Page parts={place.parts} /></Suspense>
          </Broken>
        ) : (
          <Alert color="yellow" variant="outline" role="alert">
            <div className="apart">{words.noPage}{home && <Button component="a" size="xs" variant="default" href={address(home.route)}>{home.title(words)}</Button>}</div>
          </Alert>
        )}
      </div>
    </div>
  )
}

function Waiting() {
  const t = useTexts()
  return <div className="row" role="status"><Loader size="sm" />{t.common.loading}</div>
}

/** A page whose code cannot be loaded (a new version was installed), or that fails: the rest goes on. */
class Broken extends Component<{ children: ReactNode }, { fault: unknown }> {
  override state: { fault: unknown } = { fault: null }
  static getDerivedStateFromError(fault: unknown) { return { fault } }
  override render() { return this.state.fault === null ? this.props.children : <Fault fault={this.state.fault} /> }
}

function Fault({ fault }: { fault: unknown }) {
  const t = useTexts()
  return (
    <Alert color="red" variant="outline" role="alert">
      <div className="apart">{t.problem.other(String(fault))}
        <Button size="xs" variant="default" onClick={() => { window.location.reload() }}>{t.common.retry}</Button></div>
    </Alert>
  )
}
