// Tokens of machines: made, shown once, revoked.
import { Alert, Button, Modal, NumberInput, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'

import type { Token } from '../../api/admin'
import { admin } from '../../api/admin-client'
import type { Right } from '../../api/types'
import { tell, useDesk } from '../../app/hooks'
import { Badge, ConfirmButton, LocalTable, PageFrame, useFaultWords, type Column } from '../../kit'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useTokensWords } from '../../texts/admin/tokens'
import { NEVER_IN_TOKENS } from '../roles/rights'
import { RightsField } from '../roles/RightsField'

export default function Tokens() {
  const t = useTexts()
  const words = useTokensWords()
  const kit = useKitWords()
  const queries = useQueryClient()
  const [making, setMaking] = useState(false)
  const { data, error } = useQuery({ queryKey: ['list', '/tokens'], queryFn: admin.tokens, staleTime: 0 })
  const again = () => { void queries.invalidateQueries({ queryKey: ['list', '/tokens'] }) }
  const columns = useMemo((): Column<Token>[] => [
    { key: 'name', label: words.name, value: ({ name }) => name, cell: ({ name }) => <strong>{name}</strong> },
    { key: 'state', label: words.state, value: (token) => words.states[stateOf(token)], cell: (token) => <State token={token} /> },
    { key: 'rights', label: words.rights, value: ({ rights }) => rights.join(', '), cell: ({ rights }) => rights.join(', ') },
    { key: 'by', label: words.by, value: ({ by }) => by, cell: ({ by }) => by },
    { key: 'created', label: words.created, value: ({ createdAt }) => createdAt, nowrap: true, cell: ({ createdAt }) => t.format.date(createdAt) },
    { key: 'expires', label: words.expires, value: ({ expiresAt }) => expiresAt, nowrap: true, cell: ({ expiresAt }) => t.format.date(expiresAt) },
    { key: 'used', label: words.used, value: ({ usedAt }) => usedAt, nowrap: true, cell: ({ usedAt }) => (usedAt ? t.format.moment(usedAt) : words.never) },
    { key: 'revoke', label: '', cell: ({ id, name, revokedAt }) => revokedAt === null && (
      <ConfirmButton label={words.revoke} describe={words.revokeOf(name)} title={words.revokeOf(name)} lead={words.revokeLead(name)} confirm={words.revoke} danger
        act={() => admin.revokeToken(id)} done={words.revoked} onDone={() => { void queries.invalidateQueries({ queryKey: ['list', '/tokens'] }) }} />
    ) },
  ], [t, words, queries])
  return (
    <PageFrame title={words.title} lead={words.lead} tools={<Button onClick={() => { setMaking(true) }}>{words.add}</Button>}>
      <section className="card" aria-label={words.title}>
        <LocalTable<Token> label={words.title} file="tokens" rows={data?.items} error={error} columns={columns} rowKey={({ id }) => id} empty={words.empty} onRefresh={again}
          filters={[{ kind: 'choice', name: 'state', label: words.state, options: Object.entries(words.states).map(([value, label]) => ({ value, label })) }]}
          fits={(token, _, state) => stateOf(token) === state} />
      </section>
      <Modal opened={making} onClose={() => { setMaking(false) }} title={words.add} size="lg" closeButtonProps={{ 'aria-label': kit.form.close }}>
        {making && <Make onMade={again} onClose={() => { setMaking(false) }} />}
      </Modal>
    </PageFrame>
  )
}

const stateOf = ({ revokedAt, expiresAt }: Token) => (revokedAt ? 'revoked' : Date.parse(expiresAt) < Date.now() ? 'expired' : 'valid')
const TONES = { revoked: 'bad', expired: 'plain', valid: 'good' } as const

function State({ token }: { token: Token }) {
  const words = useTokensWords()
  const state = stateOf(token)
  return <Badge tone={TONES[state]}>{words.states[state]}</Badge>
}

function Make({ onMade, onClose }: { onMade(): void; onClose(): void }) {
  const words = useTokensWords()
  const kit = useKitWords()
  const t = useTexts()
  const faultWords = useFaultWords()
  const { session } = useDesk()
  const offered = session.rights.filter((right) => !NEVER_IN_TOKENS.includes(right))
  const [name, setName] = useState('')
  const [days, setDays] = useState<number | string>(90)
  const [rights, setRights] = useState<Right[]>([])
  const [password, setPassword] = useState('')
  const asksPassword = session.by === 'password'
  const [fault, setFault] = useState<string | null>(null)
  const [secret, setSecret] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async () => {
    if (name.trim() === '' || rights.length === 0) {
      setFault(name.trim() === '' ? words.noName : words.noRights)
      return
    }
    setBusy(true)
    setFault(null)
    try {
      setSecret((await admin.makeToken(name.trim(), rights, Number(days), asksPassword ? password : null)).secret)
      onMade()
    } catch (error) {
      setFault(faultWords(error))
    }
    setBusy(false)
  }
  if (secret) {
    return (
      <Stack>
        <Alert color="yellow" variant="outline" role="alert" title={words.shown}>{words.shownLead}</Alert>
        <TextInput label={words.secret} value={secret} readOnly onFocus={(event) => { event.currentTarget.select() }} data-autofocus />
        <div className="row end">
          <Button variant="default" onClick={() => { void navigator.clipboard.writeText(secret).then(() => { tell(t, words.copied) }, (error: unknown) => { tell(t, String(error), true) }) }}>{words.copy}</Button>
          <Button onClick={onClose}>{words.done}</Button>
        </div>
      </Stack>
    )
  }
  return (
    <form onSubmit={(event) => {
      event.preventDefault()
      void submit()
    }}>
      <Stack>
        <div className="form-grid">
          <TextInput label={words.name} description={words.nameHint} value={name} maxLength={100} onChange={(event) => { setName(event.currentTarget.value) }} data-autofocus />
          <NumberInput label={words.days} description={words.daysHint} value={days} min={1} max={365} allowDecimal={false} onChange={setDays} />
        </div>
        <RightsField offered={offered} value={rights} onChange={setRights} />
        {asksPassword && <PasswordInput label={words.password} description={words.passwordHint} value={password} onChange={(event) => { setPassword(event.currentTarget.value) }} autoComplete="current-password" maw={320} />}
        <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
        <div className="row end"><Button variant="default" onClick={onClose}>{kit.form.cancel}</Button><Button type="submit" loading={busy}>{words.make}</Button></div>
      </Stack>
    </form>
  )
}
