// Speaking a prompt into the microphone. What the browser recorded becomes WAV here, as its own formats differ.
import { Alert, Button } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'

import { clock } from '../../logic/time'

import { usePromptsWords } from '../../texts/admin/prompts'
import { wavOf } from './wav'

/** Longest prompt that is recorded, ms: as much as the server takes, with silence at its ends. */
const LONGEST = 65_000

export function Recorder({ onRecorded }: { onRecorded(wav: Blob): void }) {
  const words = usePromptsWords()
  const running = useRef<MediaRecorder | null>(null)
  const [since, setSince] = useState<number | null>(null)
  const [now, setNow] = useState(0)
  const [fault, setFault] = useState(false)
  useEffect(() => () => { running.current?.stop() }, [])
  useEffect(() => {
    if (since === null) return
    const timer = window.setInterval(() => {
      setNow(Date.now())
      if (Date.now() - since > LONGEST) running.current?.stop()
    }, 250)
    return () => { window.clearInterval(timer) }
  }, [since])

  const start = async () => {
    setFault(false)
    try {
      // As it is spoken: what helps a conversation harms a prompt.
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } })
      const recorder = new MediaRecorder(stream, { audioBitsPerSecond: 256_000 })
      const parts: Blob[] = []
      recorder.ondataavailable = ({ data }) => { parts.push(data) }
      recorder.onstop = () => {
        stream.getTracks().forEach((track) => { track.stop() })
        running.current = null
        setSince(null)
        asWav(new Blob(parts)).then(onRecorded, () => { setFault(true) })
      }
      recorder.start()
      running.current = recorder
      setSince(Date.now())
      setNow(Date.now())
    } catch {
      setFault(true)
    }
  }
  return (
    <div className="row">
      {since === null ? <Button variant="default" leftSection={<span className="dot bad" aria-hidden="true" style={{ background: 'currentColor' }} />} onClick={() => { void start() }}>{words.record}</Button>
        : <Button color="red" onClick={() => { running.current?.stop() }}>{words.stop}</Button>}
      {since !== null && <span role="timer" aria-live="off" className="numbers bad">{words.recording(clock((now - since) / 1000))}</span>}
      <div role="alert">{fault && <Alert color="red" variant="outline">{words.noMicrophone}</Alert>}</div>
    </div>
  )
}

async function asWav(recorded: Blob): Promise<Blob> {
  const context = new AudioContext()
  try {
    const sound = await context.decodeAudioData(await recorded.arrayBuffer())
    const channels = Array.from({ length: sound.numberOfChannels }, (_, n) => sound.getChannelData(n))
    return new Blob([wavOf(channels, sound.sampleRate)], { type: 'audio/wav' })
  } finally {
    await context.close()
  }
}
