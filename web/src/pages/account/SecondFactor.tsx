// Adding a second factor: the key as a QR code, a code to prove that it works, recovery codes to keep.
import { Alert, Button, Loader, Stack, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { encode } from 'uqr'

import { admin } from '../../api/admin-client'
import { Fault } from '../../api/client'
import { tell } from '../../app/hooks'
import { useFaultWords } from '../../kit/fault'
import { saveFile } from '../../kit/file'
import { useTexts } from '../../texts'
import { useAccountWords } from '../../texts/admin/account'

/** `onDone`: it is on, and the recovery codes were kept. */
export function AddSecondFactor({ onDone }: { onDone(): void }) {
  const words = useAccountWords()
  const t = useTexts()
  const faultWords = useFaultWords()
  // Begun once: another attempt makes another key.
  const { data, error } = useQuery({ queryKey: ['second-factor'], queryFn: admin.beginSecondFactor, staleTime: Infinity, gcTime: 0, retry: false })
  const [code, setCode] = useState('')
  const [codes, setCodes] = useState<string[] | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  if (codes) return <Recovery codes={codes} onKept={onDone} />
  if (error) return <Alert color="red" variant="outline" role="alert">{faultWords(error)}</Alert>
  if (!data) return <div className="row" role="status"><Loader size="sm" />{t.common.loading}</div>
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
