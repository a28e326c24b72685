// Webhooks: who is told of what, whether it arrived, and a test.
import { Alert, Button, PasswordInput, Switch } from '@mantine/core'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useMemo, useState } from 'react'

import type { Delivery, Named, WebhookDocument } from '../../api/admin'
import { admin } from '../../api/admin-client'
import { CommandButton, tell } from '../../app/hooks'
import { Badge, Card, Checks, LocalTable, SettingsPage, TextField, type Column, type FormProps, type Tone } from '../../kit'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useWebhooksWords } from '../../texts/admin/webhooks'

export default function Webhooks({ parts }: { parts: string[] }) {
  const words = useWebhooksWords()
  const columns = useMemo((): Column<Named<WebhookDocument>>[] => {
    const state = ({ document }: Named<WebhookDocument>) => ((document.enabled ?? true) ? words.states.on : words.states.off)
    return [
      { key: 'url', label: words.names.url, value: ({ document }) => document.url, cell: ({ document }) => document.url },
      { key: 'enabled', label: words.names.enabled, value: state, cell: (row) => <Badge tone={(row.document.enabled ?? true) ? 'good' : 'plain'}>{state(row)}</Badge> },
      { key: 'events', label: words.names.events, value: ({ document }) => (document.events ?? []).join(', '), cell: ({ document }) => (document.events ?? []).join(', ') },
    ]
  }, [words])
  return (
    <SettingsPage<WebhookDocument> kind="webhooks" parts={parts} title={words.title} lead={words.lead} add={words.add} empty={words.empty} columns={columns}
      fresh={{ url: '', enabled: true, events: [] }} names={words.names} mayChange Form={Editor} Beside={Deliveries} />
  )
}

function Editor({ of, draft }: FormProps<WebhookDocument>) {
  const words = useWebhooksWords()
  const kit = useKitWords()
  return (
    <>
      <div className="form-grid">
        <TextField label={words.names.url} hint={words.urlHint} type="url" value={draft.url} error={of.wrong('url')} onChange={(url) => { of.change({ url: url ?? '' }) }} />
        <div>
          <PasswordInput label={words.names.secret} description={of.isNew ? undefined : kit.form.secretKept} value={draft.secret ?? ''} autoComplete="off" error={of.wrong('secret')}
            onChange={(event) => { of.change({ secret: event.currentTarget.value || undefined }) }} />
          <Button mt={6} size="compact-xs" variant="default" onClick={() => { of.change({ secret: freshKey() }) }}>{words.make}</Button>
        </div>
      </div>
      <Checks label={words.names.events} value={draft.events ?? []} error={of.wrong('events')} onChange={(events) => { of.change({ events }) }}
        options={Object.entries(words.events).map(([value, label]) => ({ value, label, hint: value }))} />
      <Switch label={words.names.enabled} checked={draft.enabled ?? true} onChange={(event) => { of.change({ enabled: event.currentTarget.checked }) }} />
    </>
  )
}

/** 256 bits, as hexadecimal digits. */
function freshKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(32))].map((octet) => octet.toString(16).padStart(2, '0')).join('')
}

const TONES: Record<Delivery['state'], Tone> = { waiting: 'warn', delivered: 'good', failed: 'bad' }

function Deliveries({ name }: { name: string }) {
  const t = useTexts()
  const words = useWebhooksWords()
  const kit = useKitWords()
  const queries = useQueryClient()
  const { data, error, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: ['deliveries', name], queryFn: ({ pageParam }) => admin.deliveries(name, pageParam), initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next, staleTime: 0, refetchInterval: 15_000,
  })
  const again = useCallback(() => queries.invalidateQueries({ queryKey: ['deliveries', name] }), [queries, name])
  const [test, setTest] = useState<Delivery | null>(null)
  const columns = useMemo((): Column<Delivery>[] => [
    { key: 'at', label: words.at, value: ({ at }) => at, nowrap: true, cell: ({ at }) => t.format.moment(at) },
    { key: 'event', label: words.event, value: ({ event }) => event, cell: ({ event }) => event },
    { key: 'state', label: words.state, value: ({ state }) => words.delivery[state], cell: ({ state }) => <Badge tone={TONES[state]}>{words.delivery[state]}</Badge> },
    { key: 'attempts', label: words.attempts, right: true, value: ({ attempts }) => attempts, cell: ({ attempts }) => attempts },
    { key: 'status', label: words.status, right: true, value: ({ status }) => status, cell: ({ status }) => status ?? kit.form.none },
    { key: 'what', label: words.what, value: ({ what }) => what, cell: ({ what }) => what },
    { key: 'next', label: words.next, value: ({ next }) => next, nowrap: true, cell: ({ next }) => (next ? t.format.moment(next) : kit.form.none) },
    { key: 'retry', label: '', cell: ({ id, event, at, state }) => state !== 'delivered' && (
      <CommandButton size="compact-sm" variant="default" aria-label={words.retryOf(event, t.format.moment(at))} act={async () => {
        await admin.retryDelivery(name, id)
        tell(t, words.retried)
        await again()
      }}>{words.retry}</CommandButton>
    ) },
  ], [t, words, kit, again, name])
  return (
    <Card title={words.deliveries} tools={(
      <CommandButton size="xs" act={async () => {
        setTest(null)
        setTest(await admin.testWebhook(name))
        await again()
      }}>{words.test}</CommandButton>
    )}>
      <p className="soft">{words.deliveriesLead} {words.testLead}</p>
      <div role="status">{test && (
        <Alert my="sm" color={test.state === 'delivered' ? 'green' : 'red'} variant="outline">
          {test.state === 'delivered' ? words.testOk(test.status) : words.testBad(test.what ?? String(test.status ?? ''))}
        </Alert>
      )}</div>
      <LocalTable<Delivery> label={words.deliveries} file={`deliveries-${name}`} rows={data?.pages.flatMap(({ items }) => items)} error={error} columns={columns} rowKey={({ id }) => id}
        empty={words.noDeliveries} onRefresh={() => { void again() }} tools={hasNextPage && <Button size="xs" variant="default" onClick={() => { void fetchNextPage() }}>{words.older}</Button>}
        filters={[
          { kind: 'choice', name: 'state', label: words.state, options: Object.entries(words.delivery).map(([value, label]) => ({ value, label })) },
          { kind: 'choice', name: 'event', label: words.event, options: Object.keys(words.events).map((value) => ({ value, label: value })) },
        ]} fits={(one, filter, value) => one[filter as 'state' | 'event'] === value} />
    </Card>
  )
}
