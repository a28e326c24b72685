import { Alert, Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useState, type FormEvent } from 'react'

import { api, Fault } from '../api/client'
import type { Session } from '../api/types'
import { useTexts } from '../texts'

import { faultWords } from './hooks'
import { Brand, LanguageMenu, ThemeMenu } from './menus'

export function LogIn({ ended, onSession }: { ended: boolean; onSession(session: Session): void }) {
  const t = useTexts()
  const [user, setUser] = useState('')
  const [password, setPassword] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setFault(null)
    try {
      onSession(await api.logIn(user, password))
    } catch (error) {
      const status = error instanceof Fault ? error.status : null
      setFault(status === 401 ? t.login.wrong : status === 423 ? t.login.locked : status === 429 ? t.login.tooMany
        : faultWords(t, error))
      setPassword('')
    }
    setBusy(false)
  }

  return (
    <main className="page">
      <form className="card narrow" onSubmit={(event) => { void submit(event) }}>
        <Stack>
          <div className="apart"><Brand /><div className="row"><LanguageMenu /><ThemeMenu /></div></div>
          <h1>{t.login.title}</h1>
          <div role="alert">
            {fault ? <Alert color="red" variant="outline">{fault}</Alert>
              : ended && <Alert color="navy" variant="outline">{t.login.ended}</Alert>}
          </div>
          <TextInput label={t.login.user} value={user} onChange={(event) => { setUser(event.currentTarget.value) }}
            name="user" autoComplete="username" autoCapitalize="none" spellCheck={false} required withAsterisk={false} autoFocus />
          <PasswordInput label={t.login.password} value={password} name="password" required withAsterisk={false}
            onChange={(event) => { setPassword(event.currentTarget.value) }} autoComplete="current-password" />
          <Button type="submit" loading={busy} size="md">{t.login.submit}</Button>
        </Stack>
      </form>
    </main>
  )
}
