// The frame of a page of the administration.
import { useEffect, useRef, type ReactNode } from 'react'

import { address } from '../app/route'

/** A heading, what the page is for, and cards below. `back` leads to the list that one of it was opened from. */
export function PageFrame({ title, lead, back, tools, children }: {
  title: string; lead?: ReactNode; back?: { label: string; page: string }; tools?: ReactNode; children: ReactNode
}) {
  const head = useRef<HTMLHeadingElement>(null)
  // Who follows a link with the keyboard goes on where the page begins.
  useEffect(() => { head.current?.focus({ preventScroll: true }) }, [title])
  return (
    <div className="stack">
      <div>
        {back && <a className="back" href={address(back.page)}>← {back.label}</a>}
        <div className="apart"><h1 ref={head} tabIndex={-1}>{title}</h1>{tools && <div className="row">{tools}</div>}</div>
        {lead && <p className="soft lead">{lead}</p>}
      </div>
      {children}
    </div>
  )
}

export function Card({ title, tools, children, label }: { title?: string; tools?: ReactNode; children: ReactNode; label?: string }) {
  return (
    <section className="card" aria-label={label ?? title}>
      {title && <div className="apart card-head"><h2>{title}</h2>{tools}</div>}
      {children}
    </section>
  )
}

/** Facts beside one another. */
export function Facts({ of }: { of: [string, ReactNode][] }) {
  return <dl className="facts">{of.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
}

export type Tone = 'good' | 'warn' | 'bad' | 'plain'

/** A word with a tone: a state, a level. */
export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <span className="badge" data-tone={tone}>{children}</span>
}
