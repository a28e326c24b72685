// The list of holds, and how one is released.
import { useQueryClient } from '@tanstack/react-query'

import type { Hold } from '../../api/admin'
import { request } from '../../api/client'
import { useDesk } from '../../app/hooks'
import { address } from '../../app/route'
import { Badge, ConfirmButton, ServerTable } from '../../kit'
import { may } from '../../logic/mine'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useRecordsWords, type Words } from '../../texts/admin/records'
import { useMoment } from '../records/shared'

export function HoldList({ prefix }: { prefix?: string }) {
  const words = useRecordsWords()
  const kit = useKitWords()
  const moment = useMoment()
  const { session } = useDesk()
  return (
    <ServerTable<Hold> path="/holds" prefix={prefix} label={words.holds.title} rowKey={({ id }) => id} empty={words.holds.none}
      filters={[{ kind: 'choice', name: 'active', label: words.holds.state, options: [{ value: 'true', label: words.holds.active }] }]} columns={[
        { key: 'on', label: words.holds.on, cell: (hold) => <HeldThing hold={hold} /> },
        { key: 'reason', label: words.reason, cell: ({ reason }) => <span className="free">{reason}</span> },
        { key: 'by', label: words.holds.by, cell: ({ by }) => by },
        { key: 'at', label: words.holds.placed, time: true, nowrap: true, cell: ({ at }) => moment(at) },
        { key: 'until', label: words.holds.until, nowrap: true, cell: ({ until }) => moment(until) },
        { key: 'state', label: words.holds.state, cell: (hold) => (
          hold.releasedAt ? <Badge tone="plain">{words.holds.stateOver} {moment(hold.releasedAt)}, {hold.releasedBy}</Badge>
            : expired(hold) ? <Badge tone="plain">{words.holds.expired}</Badge> : <Badge tone="warn">{words.holds.stateActive}</Badge>
        ) },
        { key: 'release', label: kit.table.actions, cell: (hold) => !hold.releasedAt && !expired(hold) && may(session, 'manage-holds') && <ReleaseButton hold={hold} /> },
      ]} />
  )
}

const expired = ({ until }: Hold) => until !== null && Date.parse(until) < Date.now()

export function heldWords(words: Words, { on }: Hold, date: (at: string) => string): string {
  if (on.kind === 'queue') return words.holds.onQueue(on.id, on.since ? date(on.since) : '…', on.until ? date(on.until) : '…')
  return `${words.holds.kinds[on.kind]} ${on.id}`
}

function HeldThing({ hold }: { hold: Hold }) {
  const t = useTexts()
  const words = useRecordsWords()
  const said = heldWords(words, hold, t.format.date)
  if (hold.on.kind === 'recording') return <a href={address('recordings', [hold.on.id])}>{said}</a>
  return hold.on.kind === 'call' ? <a href={address('all-calls', [hold.on.id])}>{said}</a> : <>{said}</>
}

export function ReleaseButton({ hold }: { hold: Hold }) {
  const t = useTexts()
  const words = useRecordsWords()
  const queries = useQueryClient()
  const what = heldWords(words, hold, t.format.date)
  return (
    <ConfirmButton label={words.holds.release} describe={words.holds.releaseOf(what)} title={words.holds.releaseTitle} confirm={words.holds.releaseConfirm} reason
      lead={<><strong>{what}</strong><br />{words.holds.releaseLead}</>} done={words.holds.released_}
      act={(reason) => request<void>('DELETE', `/holds/${encodeURIComponent(hold.id)}`, { reason })}
      onDone={() => { for (const key of [['list'], ['why'], ['recording'], ['retention']]) void queries.invalidateQueries({ queryKey: key }) }} />
  )
}
