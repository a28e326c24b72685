// One recording: heard (with a reason where one is asked), held, exported, destroyed, and why it is here or gone.
import { Alert, Button, Modal, Stack, Textarea } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import type { Waveform } from '../../api/admin'
import { exchange, Fault, request } from '../../api/client'
import type { Listens, Recording } from '../../api/types'
import { tell, useDesk } from '../../app/hooks'
import { address } from '../../app/route'
import { Badge, Card, ConfirmButton, Facts, PageFrame, saveFile, useFaultWords } from '../../kit'
import { may } from '../../logic/mine'
import { clock } from '../../logic/time'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useRecordsWords } from '../../texts/admin/records'
import { HoldButton } from '../holds/HoldForm'
import { basisWords, Read, StateBadge, useMoment } from '../records/shared'

import { Player } from './Player'
import { WhyHere } from './WhyHere'

const path = (id: string) => `/recordings/${encodeURIComponent(id)}`

export function RecordingPage({ id }: { id: string }) {
  const t = useTexts()
  const words = useRecordsWords()
  const { session } = useDesk()
  const queries = useQueryClient()
  const { data, error } = useQuery({ queryKey: ['recording', id], queryFn: () => request<Recording>('GET', path(id)), staleTime: 0 })
  const changed = () => { for (const key of [['recording', id], ['why', id], ['list']]) void queries.invalidateQueries({ queryKey: key }) }
  const began = data && t.format.moment(data.startedAt ?? data.armedAt)
  return (
    <PageFrame back={{ label: words.back, page: 'recordings' }} title={began ? words.recordings.detail(began) : words.recordings.title}
      tools={data && <Tools of={data} onChanged={changed} />}>
      <Read data={data} error={error}>{(recording) => (
        <>
          <Card label={words.recordings.player}>
            {recording.playable ? <Listen of={recording} /> : <p className="soft">{words.recordings.noAudio[recording.state] ?? recording.why}</p>}
          </Card>
          <div className="wide-first">
            <Card label={began}><RecordingFacts of={recording} /></Card>
            <WhyHere id={id} gone={recording.state === 'destroyed' || recording.state === 'removed'} mayRelease={may(session, 'manage-holds')} />
          </div>
        </>
      )}</Read>
    </PageFrame>
  )
}

function RecordingFacts({ of }: { of: Recording }) {
  const t = useTexts()
  const words = useRecordsWords()
  const moment = useMoment()
  const { session } = useDesk()
  return (
    <Facts of={[
      [words.recordings.state, <span key="state" className="badges"><StateBadge state={of.state} />{of.hold && <Badge tone="warn">{words.recordings.onHold}</Badge>}
        {of.restricted && <Badge tone="warn">{words.restricted}</Badge>}{of.salvaged && <Badge tone="plain">{words.recordings.salvaged}</Badge>}</span>],
      [words.queue, of.queue],
      [words.agent, of.agent ?? words.none],
      [words.recordings.basis, basisWords(words, of.basis, of.basisDetail, t.format.moment)],
      [words.recordings.begins, moment(of.startedAt)],
      [words.recordings.length, of.seconds === null ? words.none : clock(of.seconds)],
      [words.recordings.format, of.format],
      [words.recordings.removes, of.removedAt ?? of.destroyedAt ? moment(of.removedAt ?? of.destroyedAt) : of.removesAt ? moment(of.removesAt) : words.recordings.never],
      [words.recordings.call, may(session, 'view-calls') ? <a key="call" href={address('all-calls', [of.call])}>{words.recordings.toCall}</a> : of.call],
      [words.id, <code key="id">{of.id}</code>],
    ]} />
  )
}

/** Reads the waveform when it is asked for (that opens listening), with a reason where the server wants one. */
function Listen({ of }: { of: Recording }) {
  const t = useTexts()
  const words = useRecordsWords()
  const faultWords = useFaultWords()
  const [since, setSince] = useState<string | null>(null)
  const [wanted, setWanted] = useState(false)
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['waveform', of.id], enabled: wanted, retry: false, staleTime: Infinity, queryFn: () => waveformOf(of),
  })
  if (!wanted) {
    return (
      <div className="idle" style={{ minHeight: 150 }}>
        <p>{words.recordings.willLog}</p>
        <Button onClick={() => { setWanted(true) }}>{words.recordings.startListening}</Button>
      </div>
    )
  }
  if (data) {
    return (
      <>
        <Player key={of.id} recording={of} wave={data} src={`/api/v1${path(of.id)}/audio`} />
        <p className="soft" style={{ marginTop: 10 }}>{since ? words.recordings.listens(t.format.time(since)) : words.recordings.logged}</p>
      </>
    )
  }
  if (isPending) return <Read data={undefined} error={null}>{() => null}</Read>
  if (error instanceof Fault && error.status === 428) {
    return <AskReason id={of.id} onListens={({ since }) => {
      setSince(since)
      void refetch()
    }} />
  }
  const said = error instanceof Fault ? words.recordings.faults[error.title] : undefined
  return (
    <Alert color="red" variant="outline" role="alert">
      <div className="apart">{said ?? faultWords(error)}<Button size="xs" variant="default" onClick={() => { void refetch() }}>{t.common.retry}</Button></div>
    </Alert>
  )
}

/** One that is too long for a picture is heard without. */
async function waveformOf({ id, seconds }: Recording): Promise<Waveform> {
  try {
    return await request<Waveform>('GET', `${path(id)}/waveform`)
  } catch (fault) {
    if (fault instanceof Fault && fault.title === 'too-large') return { seconds: seconds ?? 0, caller: [], agent: [] }
    throw fault
  }
}

function AskReason({ id, onListens }: { id: string; onListens(listens: Listens): void }) {
  const words = useRecordsWords()
  const kit = useKitWords()
  const faultWords = useFaultWords()
  const [open, setOpen] = useState(false)
  const [reason, setReason] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async () => {
    if (!reason.trim()) {
      setFault(words.reasonMissing)
      return
    }
    setBusy(true)
    setFault(null)
    try {
      onListens(await request<Listens>('POST', `${path(id)}/listening`, { reason: reason.trim() }))
    } catch (error) {
      setFault(error instanceof Fault ? words.recordings.faults[error.title] ?? faultWords(error) : faultWords(error))
      setBusy(false)
    }
  }
  return (
    <div className="idle" style={{ minHeight: 150 }}>
      <p>{words.recordings.reasonLead}</p>
      <Button onClick={() => { setOpen(true) }}>{words.recordings.askReason}</Button>
      <Modal opened={open} onClose={() => { setOpen(false) }} title={words.recordings.reasonTitle} closeButtonProps={{ 'aria-label': kit.form.close }}>
        <form noValidate onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}>
          <Stack>
            <p className="soft">{words.recordings.reasonLead}</p>
            <Textarea label={words.reason} value={reason} onChange={(event) => { setReason(event.currentTarget.value) }} autosize minRows={2} maxLength={1000} data-autofocus />
            <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
            <div className="row end">
              <Button variant="default" onClick={() => { setOpen(false) }}>{kit.form.cancel}</Button>
              <Button type="submit" loading={busy}>{words.recordings.startListening}</Button>
            </div>
          </Stack>
        </form>
      </Modal>
    </div>
  )
}

function Tools({ of, onChanged }: { of: Recording; onChanged(): void }) {
  const words = useRecordsWords()
  const { session } = useDesk()
  const gone = of.state === 'destroyed' || of.state === 'removed'
  return (
    <>
      {may(session, 'manage-holds') && !gone && of.state !== 'discarded' && <HoldButton on={{ recording: of.id }} label={words.holds.holdThis} onDone={onChanged} />}
      {may(session, 'export-recordings') && of.playable && <ExportButton id={of.id} />}
      {(['export-recordings', 'destroy-recordings', 'manage-vault'] as const).some((right) => may(session, right)) && of.state === 'removed' && <CertificateButton id={of.id} />}
      {may(session, 'destroy-recordings') && !gone && ['finished', 'stored', 'failed'].includes(of.state) && (
        <ConfirmButton label={words.recordings.destroy} title={words.recordings.destroyTitle} lead={words.recordings.destroyLead} confirm={words.recordings.destroyConfirm} reason danger
          button={{ color: 'red', variant: 'outline' }} done={words.recordings.destroyed} onDone={onChanged}
          act={(reason) => request<Recording>('DELETE', path(of.id), { reason })} />
      )}
    </>
  )
}

/** Fetched, not linked: a refusal is told here, and a reason asked. */
function ExportButton({ id }: { id: string }) {
  const t = useTexts()
  const words = useRecordsWords()
  const faultWords = useFaultWords()
  const [busy, setBusy] = useState(false)
  const fetchIt = async () => {
    setBusy(true)
    try {
      const response = await exchange('GET', `${path(id)}/vcon`, undefined, { Accept: 'application/vcon, application/json' })
      saveFile(`${id}.vcon.json`, await response.blob())
      tell(t, words.recordings.exported)
    } catch (error) {
      tell(t, error instanceof Fault ? words.recordings.faults[error.title] ?? faultWords(error) : faultWords(error), true)
    }
    setBusy(false)
  }
  return <Button size="xs" variant="default" loading={busy} onClick={() => { void fetchIt() }}>{words.recordings.exportVcon}</Button>
}

export function CertificateButton({ id }: { id: string }) {
  const t = useTexts()
  const words = useRecordsWords()
  const faultWords = useFaultWords()
  const fetchIt = async () => {
    try {
      const response = await exchange('GET', `${path(id)}/certificate`)
      saveFile(`${id}.certificate.json`, await response.blob())
    } catch (error) {
      tell(t, error instanceof Fault && error.title === 'no-certificate' ? words.recordings.noCertificate : faultWords(error), true)
    }
  }
  return <Button size="xs" variant="default" title={words.recordings.certificateLead} onClick={() => { void fetchIt() }}>{words.recordings.certificate}</Button>
}
