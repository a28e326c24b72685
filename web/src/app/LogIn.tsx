// The log-in page: name and password, then a code where one is asked; and the other providers.
import { Alert, Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'

import { admin } from '../api/admin-client'
import { Fault } from '../api/client'
import type { Session } from '../api/types'
import { useTexts } from '../texts'
import { useAccountWords } from '../texts/admin/account'

import { faultWords } from './hooks'
import { Brand, LanguageMenu, ThemeMenu } from './menus'
import { usePlace } from './route'

export function LogIn({ ended, onSession }: { ended: boolean; onSession(session: Session): void }) {
  const t = useTexts()
  const words = useAccountWords()
  const { page, query } = usePlace()
  const [user, setUser] = useState('')
  const [password, setPassword] = useState('')
  // Null: no code is asked (yet).
  const [code, setCode] = useState<string | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  // Without an answer the page is as if there were no other providers.
  const { data: signOn } = useQuery({ queryKey: ['sign-on'], queryFn: admin.signOn, retry: false, staleTime: Infinity })
  const fromProvider = page === 'log-in' && query.fault ? words.faults[query.fault] ?? words.faultOther(query.fault) : null

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setFault(null)
    try {
      onSession(await admin.logIn(user, password, code?.replace(/\s/g, '') ?? undefined))
    } catch (error) {
      refused(error)
    }
    setBusy(false)
  }
  const refused = (error: unknown) => {
    const { status, title } = error instanceof Fault ? error : { status: null, title: '' }
    if (status === 401 && title === 'code-needed') {
      setCode('')
      return
    }
    if (status === 401 && title === 'wrong-code') {
      setFault(words.codeWrong)
      setCode('')
      return
    }
    setFault(status === 401 ? t.login.wrong : status === 423 ? t.login.locked : status === 429 ? t.login.tooMany : faultWords(t, error))
    setPassword('')
    setCode(null)
  }

  return (
    <main className="page">
      <form className="card narrow" onSubmit={(event) => { void submit(event) }}>
        <Stack>
          <div className="apart"><Brand /><div className="row"><LanguageMenu /><ThemeMenu /></div></div>
          <h1>{t.login.title}</h1>
          <div role="alert">
            {fault ?? fromProvider ? <Alert color="red" variant="outline">{fault ?? fromProvider}</Alert>
              : ended && <Alert color="navy" variant="outline">{t.login.ended}</Alert>}
          </div>
          {code === null ? (
            <>
              <TextInput label={t.login.user} value={user} onChange={(event) => { setUser(event.currentTarget.value) }}
                name="user" autoComplete="username" autoCapitalize="none" spellCheck={false} required withAsterisk={false} autoFocus />
              <PasswordInput label={t.login.password} value={password} name="password" required withAsterisk={false}
                onChange={(event) => { setPassword(event.currentTarget.value) }} autoComplete="current-password" />
              <Button type="submit" loading={busy} size="md">{t.login.submit}</Button>
              <Providers of={signOn?.providers ?? []} />
            </>
          ) : (
            <>
              <p className="soft">{words.codeLead}</p>
              <TextInput label={words.code} value={code} onChange={(event) => { setCode(event.currentTarget.value) }} name="code" inputMode="text"
                autoComplete="one-time-code" autoCapitalize="none" spellCheck={false} required withAsterisk={false} autoFocus />
              <Button type="submit" loading={busy} size="md">{words.confirm}</Button>
              <Button variant="subtle" onClick={() => {
                setCode(null)
                setPassword('')
                setFault(null)
              }}>{words.backToPassword}</Button>
            </>
          )}
        </Stack>
      </form>
    </main>
  )
}

/** They are left to by a whole page, as the provider is another site. */
function Providers({ of }: { of: { name: string; displayName: string }[] }) {
  const words = useAccountWords()
  if (of.length === 0) return null
  return (
    <>
      <div className="divider">{words.or}</div>
      {of.map(({ name, displayName }) => (
        <Button key={name} component="a" variant="default" size="md" href={`/api/v1/sign-on/${encodeURIComponent(name)}`}>{words.with(displayName)}</Button>
      ))}
    </>
  )
}
