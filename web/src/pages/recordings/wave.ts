// The drawing of the waveform: wavesurfer.js over our own <audio>, fed with the server's peaks.
import { useComputedColorScheme } from '@mantine/core'
import { useEffect, type RefObject } from 'react'
import WaveSurfer from 'wavesurfer.js'

import type { Waveform } from '../../api/admin'

const HEIGHT = 72

export function useWave(drawing: RefObject<HTMLDivElement | null>, audio: RefObject<HTMLAudioElement | null>, { seconds, caller, agent }: Waveform) {
  const scheme = useComputedColorScheme()
  useEffect(() => {
    if (!drawing.current || !audio.current) return
    const dark = scheme === 'dark'
    const side = (waveColor: string, progressColor: string) => ({ waveColor, progressColor })
    const wave = WaveSurfer.create({
      container: drawing.current, media: audio.current, peaks: caller.length > 0 ? [caller, agent] : [[0], [0]], duration: seconds, height: HEIGHT, cursorWidth: 2,
      cursorColor: dark ? '#ffffff' : '#163a5c', barWidth: 2, barGap: 1, barRadius: 1, normalize: true, dragToSeek: true,
      splitChannels: [
        side(dark ? '#4a86c4' : '#86afda', dark ? '#d9e6f4' : '#1f4e79'),
        side(dark ? '#2f9f64' : '#79cd9e', dark ? '#d3efdf' : '#0f5c36'),
      ],
    })
    // What its audio cannot do is told by the player; a drawing that was taken down in between is no fault.
    wave.on('error', () => {})
    return () => { wave.destroy() }
  }, [drawing, audio, seconds, caller, agent, scheme])
}
