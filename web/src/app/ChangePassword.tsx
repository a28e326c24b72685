import { Alert, Button, PasswordInput, Stack } from '@mantine/core'
import { useState, type FormEvent } from 'react'

import { api, Fault } from '../api/client'
import { useTexts } from '../texts'

import { faultWords } from './hooks'
import { Brand, LanguageMenu } from './menus'

/** The first password of one's own, before anything else. */
export function ChangePassword({ onDone, onLogOut }: { onDone(): void; onLogOut(): void }) {
  const t = useTexts()
  const [old, setOld] = useState('')
  const [fresh, setFresh] = useState('')
  const [again, setAgain] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (fresh !== again) {
      setFault(t.password.differs)
      return
    }
    setBusy(true)
    setFault(null)
    try {
      await api.changePassword(old, fresh)
      onDone()
    } catch (error) {
      setFault(words(error))
    }
    setBusy(false)
  }
  const words = (error: unknown) => {
    if (!(error instanceof Fault)) return faultWords(t, error)
    if (error.title === 'too-short') return t.password.tooShort
    if (error.title === 'used-before') return t.password.usedBefore
    if (error.title === 'too-long') return t.password.tooLong
    if (error.status === 423) return t.login.locked
    return error.title === 'wrong-password' ? t.password.wrong : faultWords(t, error)
  }
  const field = (label: string, value: string, set: (value: string) => void, autoComplete: string) => (
    <PasswordInput label={label} value={value} onChange={(event) => { set(event.currentTarget.value) }} required
      withAsterisk={false} autoComplete={autoComplete} />
  )

  return (
    <main className="page">
      <form className="card narrow" onSubmit={(event) => { void submit(event) }}>
        <Stack>
          <div className="apart"><Brand /><LanguageMenu /></div>
          <h1>{t.password.title}</h1>
          <p className="soft">{t.password.lead}</p>
          <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
          {field(t.password.old, old, setOld, 'current-password')}
          {field(t.password.fresh, fresh, setFresh, 'new-password')}
          {field(t.password.again, again, setAgain, 'new-password')}
          <Button type="submit" loading={busy} size="md">{t.password.submit}</Button>
          <Button variant="subtle" onClick={onLogOut}>{t.nav.logout}</Button>
        </Stack>
      </form>
    </main>
  )
}
