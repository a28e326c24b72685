// Another sound for a prompt: from a file or the microphone, heard and measured by the server before it is put in force.
import { Alert, Button, FileInput, Loader } from '@mantine/core'
import { useState } from 'react'

import { Card, Facts, useFaultWords } from '../../kit'
import { tell } from '../../app/hooks'
import { useTexts } from '../../texts'
import type { Prompt, PromptCheck } from '../../api/admin'
import { admin } from '../../api/admin-client'

import { Hear } from './Player'
import { Recorder } from './Recorder'
import { usePromptsWords } from '../../texts/admin/prompts'

export function Replace({ id, prompt, onStored }: { id: string; prompt: Prompt | undefined; onStored(): void }) {
  const t = useTexts()
  const words = usePromptsWords()
  const faultWords = useFaultWords()
  const [sound, setSound] = useState<Blob | null>(null)
  const [check, setCheck] = useState<PromptCheck | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const drop = () => {
    setSound(null)
    setCheck(null)
    setFault(null)
  }
  const choose = async (sound: Blob) => {
    setSound(sound)
    setCheck(null)
    setFault(null)
    try {
      setCheck(await admin.previewPrompt(id, sound))
    } catch (error) {
      setFault(faultWords(error))
    }
  }
  const put = async () => {
    if (!sound) return
    setBusy(true)
    setFault(null)
    try {
      await admin.putPrompt(id, sound, prompt?.source === 'imported' ? prompt.version : null)
      tell(t, words.inForce)
      drop()
      onStored()
    } catch (error) {
      setFault(faultWords(error))
    }
    setBusy(false)
  }
  return (
    <Card title={words.replace}>
      <div className="form-grid">
        <FileInput label={words.file} description={words.fileHint} accept="audio/*,.wav,.mp3,.m4a,.aac,.flac,.ogg,.aif,.aiff" value={sound instanceof File ? sound : null}
          onChange={(file) => { if (file) void choose(file); else drop() }} clearable />
        <fieldset className="bare field"><legend>{words.microphone}</legend><Recorder onRecorded={(wav) => { void choose(wav) }} /></fieldset>
      </div>
      <div role="alert" style={{ marginTop: 12 }}>{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
      {sound && !check && !fault && <div className="row" role="status"><Loader size="sm" />{words.checking}</div>}
      {sound && check && (
        <section className="inset stack" aria-label={words.check}>
          <h2 style={{ margin: 0 }}>{words.check}</h2>
          <Measured check={check} />
          <div className="row"><Hear sound={sound} label={words.hearNew} /><span className="grow" />
            <Button variant="default" onClick={drop}>{words.discard}</Button><Button loading={busy} onClick={() => { void put() }}>{words.put}</Button></div>
        </section>
      )}
    </Card>
  )
}

function Measured({ check }: { check: PromptCheck }) {
  const t = useTexts()
  const words = usePromptsWords()
  const number = (value: number, digits = 1) => value.toLocaleString(t.format.locale, { maximumFractionDigits: digits })
  const warnings = [...(check.clipped ? [words.clipped] : []), ...check.warnings]
  return (
    <>
      <Facts of={[
        [words.length, words.seconds(number(check.seconds))], [words.loudness, `${number(check.lufs)} LUFS`], [words.peak, `${number(check.peak)} dBFS`],
        [words.silence, `${words.seconds(number(check.silenceStart, 2))} / ${words.seconds(number(check.silenceEnd, 2))}`], [words.converted, check.converted],
      ]} />
      {warnings.length > 0 && <ul className="plain-list warn">{warnings.map((warning) => <li key={warning}>{warning}</li>)}</ul>}
    </>
  )
}
