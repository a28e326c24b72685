// What the pages of calls, recordings and consents share: reading, filters of queue and days, states and bases in words.
import { Alert, Loader } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'

import { request } from '../../api/client'
import type { Directory } from '../../api/types'
import { useDesk } from '../../app/hooks'
import { Badge, useFaultWords, type Tone } from '../../kit'
import { may } from '../../logic/mine'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useRecordsWords, type Words } from '../../texts/admin/records'
import './records.css'

/** What is read, or why not. */
export function Read<T>({ data, error, children }: { data: T | undefined; error: unknown; children(data: T): ReactNode }) {
  const faultWords = useFaultWords()
  const words = useKitWords()
  if (data !== undefined) return <>{children(data)}</>
  if (error) return <Alert color="red" variant="outline" role="alert">{faultWords(error)}</Alert>
  return <div className="row" role="status"><Loader size="sm" />{words.form.loading}</div>
}

/** The names of queues for a filter; a field for text where this user may not ask for them. */
export function useQueueFilter(label: string) {
  const { session } = useDesk()
  const asks = may(session, 'take-calls') || may(session, 'wallboard')
  const { data } = useQuery({ queryKey: ['directory'], queryFn: () => request<Directory>('GET', '/directory'), enabled: asks })
  const names = data?.queues ?? session.queues
  return names
    ? { kind: 'choice' as const, name: 'queue', label, options: names.map((name) => ({ value: name, label: name })) }
    : { kind: 'text' as const, name: 'queue', label }
}

export function useDayFilters(words: { since: string; until: string }) {
  return [
    { kind: 'day' as const, name: 'since', label: words.since },
    { kind: 'day' as const, name: 'until', label: words.until, end: true },
  ]
}

export function basisWords(words: Words, basis: string | null, detail: string | null, moment: (at: string) => string): string {
  if (!basis) return words.none
  const word = words.bases[basis] ?? basis
  if (!detail) return word
  const said = words.answers[detail] ?? (/^\d{4}-\d\d-\d\dT/.test(detail) ? moment(detail) : detail)
  return `${word} (${said})`
}

/** A moment that may not be. */
export function useMoment() {
  const t = useTexts()
  return (at: string | null | undefined) => (at ? t.format.moment(at) : '–')
}

const TONES: Record<string, Tone> = {
  stored: 'good', failed: 'bad', destroyed: 'warn',
}
export function StateBadge({ state }: { state: string }) {
  const words = useRecordsWords()
  return <Badge tone={TONES[state] ?? 'plain'}>{(words.states as Record<string, string>)[state] ?? state}</Badge>
}

/** An identity that is long: its beginning, whole on request. */
export function Id({ id }: { id: string }) {
  return <code className="id" title={id}>{id.length > 14 ? `${id.slice(0, 13)}…` : id}</code>
}
