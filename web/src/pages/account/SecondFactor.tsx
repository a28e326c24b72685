// Adding a second factor: the key as a QR code, a code to prove that it works, recovery codes to keep.
import { Alert, Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useMemo, useState } from 'react'
import { encode } from 'uqr'

import type { SecondFactor } from '../../api/admin'
import { admin } from '../../api/admin-client'
import { Fault } from '../../api/client'
import { tell } from '../../app/hooks'
import { useFaultWords } from '../../kit/fault'
import { saveFile } from '../../kit/file'
import { useTexts } from '../../texts'
import { useAccountWords } from '../../texts/admin/account'

/** `onDone`: it is on, and the recovery codes were kept. */
export function AddSecondFactor({ onDone }: { onDone(): void }) {
  // Begun once: another attempt makes another key.
  const [begun, setBegun] = useState<SecondFactor | null>(null)
  return begun ? <Confirm data={begun} onDone={onDone} /> : <Begin onBegun={setBegun} />
}

/** Whoever finds a browser open must not lock its owner out. */
function Begin({ onBegun }: { onBegun(begun: SecondFactor): void }) {
  const words = useAccountWords()
  const faultWords = useFaultWords()
  const [password, setPassword] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async () => {
    setBusy(true)
    setFault(null)
    try {
      onBegun(await admin.beginSecondFactor(password))
    } catch (error) {
      setFault(faultWords(error))
      setPassword('')
      setBusy(false)
    }
  }
  return (
    <form onSubmit={(event) => {
      event.preventDefault()
      void submit()
    }}>
      <Stack>
        <p>{words.ownPassword}</p>
        <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
        <PasswordInput label={words.password} value={password} onChange={(event) => { setPassword(event.currentTarget.value) }} autoComplete="current-password" maw={320} data-autofocus />
        <div><Button type="submit" loading={busy}>{words.goOn}</Button></div>
      </Stack>
    </form>
  )
}

function Confirm({ data, onDone }: { data: SecondFactor; onDone(): void }) {
  const words = useAccountWords()
  const faultWords = useFaultWords()
  const [code, setCode] = useState('')
  const [codes, setCodes] = useState<string[] | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  if (codes) return <Recovery codes={codes} onKept={onDone} />
  const submit = async () => {
    setBusy(true)
    setFault(null)
    try {
      setCodes((await admin.confirmSecondFactor(code.replace(/\s/g, ''))).codes)
    } catch (error) {
      setFault(error instanceof Fault && error.title === 'wrong-code' ? words.codeWrong : faultWords(error))
      setCode('')
    }
    setBusy(false)
  }
  return (
    <form onSubmit={(event) => {
      event.preventDefault()
      void submit()
    }}>
      <Stack>
        <p>{words.scan}</p>
        <QrCode text={data.uri} label={words.qr} />
        <p className="soft small">{words.orType}<br /><code className="secret">{data.secret.replace(/(.{4})(?=.)/g, '$1 ')}</code></p>
        <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
        <TextInput label={words.code} value={code} onChange={(event) => { setCode(event.currentTarget.value) }} inputMode="numeric" autoComplete="one-time-code" required withAsterisk={false} maw={200} />
        <div><Button type="submit" loading={busy}>{words.turnOn}</Button></div>
      </Stack>
    </form>
  )
}

function Recovery({ codes, onKept }: { codes: string[]; onKept(): void }) {
  const words = useAccountWords()
  const t = useTexts()
  return (
    <Stack>
      <h2>{words.recovery}</h2>
      <Alert color="yellow" variant="outline" role="alert">{words.recoveryLead}</Alert>
      <ul className="codes" aria-label={words.recovery}>{codes.map((code) => <li key={code}><code>{code}</code></li>)}</ul>
      <div className="row">
        <Button variant="default" onClick={() => { saveFile(words.fileName, codes.map((code) => `${code}\n`).join(''), 'text/plain') }}>{words.save}</Button>
        <Button variant="default" onClick={() => { void navigator.clipboard.writeText(codes.join('\n')).then(() => { tell(t, words.copied) }, (error: unknown) => { tell(t, String(error), true) }) }}>{words.copy}</Button>
        <Button onClick={onKept}>{words.kept}</Button>
      </div>
    </Stack>
  )
}

/** Black on white in both themes: cameras want it so. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const { size, path } = useMemo(() => {
    const { size, data } = encode(text, { ecc: 'M', border: 2 })
    return { size, path: data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('') }
  }, [text])
  return (
    <svg role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} width={200} height={200} shapeRendering="crispEdges" className="qr">
      <rect width={size} height={size} fill="#fff" /><path d={path} fill="#000" />
    </svg>
  )
}
