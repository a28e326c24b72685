// Plays a sound that is here as octets, before anybody else has it.
import { Alert, Button } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'

import { useFaultWords } from '../../kit'

import { usePromptsWords } from '../../texts/admin/prompts'

export function Hear({ sound, label }: { sound: Blob; label: string }) {
  const words = usePromptsWords()
  const faultWords = useFaultWords()
  const playing = useRef<AudioContext | null>(null)
  const [on, setOn] = useState(false)
  const [fault, setFault] = useState<string | null>(null)
  const stop = () => {
    // Closed twice it would complain; it is closed once, as the place is emptied first.
    const context = playing.current
    playing.current = null
    setOn(false)
    void context?.close()
  }
  useEffect(() => stop, [sound])
  const play = async () => {
    setFault(null)
    const context = new AudioContext()
    playing.current = context
    setOn(true)
    try {
      const source = context.createBufferSource()
      source.buffer = await context.decodeAudioData(await sound.arrayBuffer())
      source.connect(context.destination)
      source.onended = () => { if (playing.current === context) stop() }
      source.start()
    } catch (error) {
      stop()
      setFault(faultWords(error))
    }
  }
  return (
    <>
      <Button variant="default" size="xs" aria-pressed={on} onClick={() => { if (on) stop(); else void play() }}>{on ? words.stop : label}</Button>
      {fault && <Alert color="red" variant="outline" role="alert">{fault}</Alert>}
    </>
  )
}
