// One's own account: password, second factor, sessions.
import { Alert, Button, PasswordInput, Stack } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { admin } from '../../api/admin-client'
import { api, Fault } from '../../api/client'
import { CommandButton, tell, useDesk } from '../../app/hooks'
import { Badge, Card, ConfirmButton, LocalTable, PageFrame, useFaultWords } from '../../kit'
import { useTexts } from '../../texts'
import { useAccountWords } from '../../texts/admin/account'

import { AddSecondFactor } from './SecondFactor'

export default function Account() {
  const words = useAccountWords()
  const { session } = useDesk()
  // Who came by another provider has no password here to change.
  const own = session.by === 'password'
  return (
    <PageFrame title={words.title} lead={words.lead}>
      {own ? <><Password /><Factor /></> : <Card title={words.factor}><p>{words.factorNone}</p></Card>}
      <Sessions />
    </PageFrame>
  )
}

function Password() {
  const t = useTexts()
  const words = useAccountWords()
  const faultWords = useFaultWords()
  const { session } = useDesk()
  const queries = useQueryClient()
  const { data: rules } = useQuery({ queryKey: ['sign-on'], queryFn: admin.signOn, retry: false })
  const [[old, fresh, again], setFields] = useState(['', '', ''] as [string, string, string])
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async () => {
    if (fresh !== again) {
      setFault(t.password.differs)
      return
    }
    setBusy(true)
    setFault(null)
    try {
      await api.changePassword(old, fresh)
      setFields(['', '', ''])
      tell(t, words.changed)
      void queries.invalidateQueries({ queryKey: ['my-sessions'] })
      void queries.invalidateQueries({ queryKey: ['session'] })
    } catch (error) {
      setFault(passwordFault(error))
    }
    setBusy(false)
  }
  const passwordFault = (error: unknown) => {
    const title = error instanceof Fault ? error.title : ''
    if (title === 'too-short' && rules) return words.longer(rules.passwordLongerThan)
    if (title === 'too-long') return t.password.tooLong
    if (title === 'used-before') return t.password.usedBefore
    if (title === 'wrong-password') return t.password.wrong
    return error instanceof Fault && error.status === 423 ? t.login.locked : faultWords(error)
  }
  const field = (label: string, n: 0 | 1 | 2, autoComplete: string, hint?: string) => (
    <PasswordInput label={label} description={hint} value={[old, fresh, again][n]} autoComplete={autoComplete} required withAsterisk={false} maw={360}
      onChange={(event) => {
        const next: [string, string, string] = [old, fresh, again]
        next[n] = event.currentTarget.value
        setFields(next)
      }} />
  )
  return (
    <Card title={words.password}>
      {session.passwordExpiresAt && <p className="soft">{words.expires(t.format.date(session.passwordExpiresAt))}</p>}
      <form onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}>
        <Stack>
          {field(words.old, 0, 'current-password')}
          {field(words.fresh, 1, 'new-password', rules && words.longer(rules.passwordLongerThan))}
          {field(words.again, 2, 'new-password')}
          <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
          <div><Button type="submit" loading={busy}>{words.changePassword}</Button></div>
        </Stack>
      </form>
    </Card>
  )
}

function Factor() {
  const words = useAccountWords()
  const { session } = useDesk()
  const queries = useQueryClient()
  const [adding, setAdding] = useState(false)
  const [password, setPassword] = useState('')
  const again = () => { void queries.invalidateQueries({ queryKey: ['session'] }) }
  return (
    <Card title={words.factor}>
      {adding ? <AddSecondFactor onDone={() => {
        setAdding(false)
        again()
      }} /> : (
        <div className="apart">
          <span>{session.secondFactor ? <><Badge tone="good">✓</Badge> {words.factorOn}</> : words.factorOff}</span>
          {session.secondFactor ? (
            <ConfirmButton label={words.remove} describe={`${words.remove}: ${words.factor}`} title={words.factor} lead={words.removeLead} confirm={words.remove} danger done={words.removed}
              act={() => admin.removeSecondFactor(password)} onDone={() => {
                setPassword('')
                again()
              }}>
              <PasswordInput label={words.password} value={password} onChange={(event) => { setPassword(event.currentTarget.value) }} autoComplete="current-password" data-autofocus />
            </ConfirmButton>
          ) : <Button onClick={() => { setAdding(true) }}>{words.add}</Button>}
        </div>
      )}
    </Card>
  )
}

function Sessions() {
  const t = useTexts()
  const words = useAccountWords()
  const queries = useQueryClient()
  const { data, error, refetch } = useQuery({ queryKey: ['my-sessions'], queryFn: admin.mySessions, staleTime: 0 })
  return (
    <Card title={words.sessions}>
      <p className="soft">{words.sessionsLead}</p>
      <LocalTable label={words.sessions} file="sessions" rows={data} error={error} rowKey={({ id }) => id} onRefresh={() => { void refetch() }} columns={[
        { key: 'since', label: words.since, value: ({ createdAt }) => createdAt, cell: ({ createdAt }) => t.format.moment(createdAt) },
        { key: 'used', label: words.used, value: ({ usedAt }) => usedAt, cell: ({ usedAt }) => t.format.moment(usedAt) },
        { key: 'by', label: words.by, value: ({ by }) => words.ways[by] ?? by, cell: ({ by }) => words.ways[by] ?? by },
        { key: 'end', label: '', cell: ({ id, current, createdAt }) => (current ? <Badge tone="good">{words.here}</Badge> : (
          <CommandButton size="compact-sm" variant="default" aria-label={words.endOf(t.format.moment(createdAt))} act={async () => {
            await admin.endMySession(id)
            tell(t, words.ended)
            await queries.invalidateQueries({ queryKey: ['my-sessions'] })
          }}>{words.end}</CommandButton>
        )) },
      ]} />
    </Card>
  )
}
