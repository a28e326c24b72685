// The player: a waveform of both sides over an <audio> that asks for ranges; no sound is fetched before "play".
import { ActionIcon, Button, NativeSelect, Switch } from '@mantine/core'
import { useEffect, useMemo, useRef, useState } from 'react'

import type { Waveform } from '../../api/admin'
import { Fault, request } from '../../api/client'
import type { Recording } from '../../api/types'
import { tell } from '../../app/hooks'
import { gains, saved, silences, skipTo } from '../../logic/listen'
import { clock } from '../../logic/time'
import { useTexts } from '../../texts'
import { useRecordsWords } from '../../texts/admin/records'
import { Icon } from '../../ui/icons'

import { Marks } from './Marks'
import { useSides } from './sides'
import { useWave } from './wave'

const SPEEDS = ['0.5', '0.75', '1', '1.25', '1.5', '2', '3']
const STEP = 5

export function Player({ recording, wave, src }: { recording: Recording; wave: Waveform; src: string }) {
  const t = useTexts()
  const words = useRecordsWords()
  const audio = useRef<HTMLAudioElement>(null)
  const drawing = useRef<HTMLDivElement>(null)
  const seconds = wave.seconds || recording.seconds || 0
  const quiet = useMemo(() => silences(wave), [wave])
  const [playing, setPlaying] = useState(false)
  const [at, setAt] = useState(0)
  const [speed, setSpeed] = useState('1')
  const [skip, setSkip] = useState(false)
  const [balance, setBalance] = useState(0)
  const [muted, setMuted] = useState({ caller: false, agent: false })
  const loud = gains(balance, muted)
  const wake = useSides(audio, loud)
  useWave(drawing, audio, wave)

  useEffect(() => { if (audio.current) audio.current.playbackRate = Number(speed) }, [speed])
  // Skipping looks at every frame: `timeupdate` comes four times a second, too late for short silences.
  useEffect(() => {
    if (!playing) return
    let frame = 0
    const look = () => {
      const sound = audio.current
      if (sound) {
        setAt(sound.currentTime)
        const to = skip ? skipTo(sound.currentTime, quiet, seconds) : null
        if (to !== null) sound.currentTime = to
      }
      frame = window.requestAnimationFrame(look)
    }
    frame = window.requestAnimationFrame(look)
    return () => { window.cancelAnimationFrame(frame) }
  }, [playing, skip, quiet, seconds])

  const seek = (to: number) => {
    if (!audio.current) return
    audio.current.currentTime = Math.min(seconds, Math.max(0, to))
    setAt(audio.current.currentTime)
  }
  const toggle = () => {
    const sound = audio.current
    if (!sound) return
    wake()
    // What keeps it from playing comes as its `error`; a pause before it began is none.
    if (sound.paused) sound.play().catch(() => {})
    else sound.pause()
  }
  const failed = async () => {
    setPlaying(false)
    tell(t, await whyNot(recording.id, words.recordings.faults) ?? words.recordings.playFailed, true)
  }
  const onKeyDown = (event: React.KeyboardEvent) => {
    // Fields and buttons have keys of their own.
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return
    const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key]
    if (step !== undefined) seek(at + step)
    else if (event.key === ' ') toggle()
    else return
    event.preventDefault()
  }
  const side = (name: 'caller' | 'agent', label: string) => (
    <Button size="xs" variant={muted[name] ? 'filled' : 'default'} aria-pressed={muted[name]} leftSection={<Icon name="mute" size={14} />}
      onClick={() => { setMuted({ ...muted, [name]: !muted[name] }) }}>{label}</Button>
  )
  return (
    <div className="rec-player" role="group" aria-label={words.recordings.player} aria-describedby="player-keys" tabIndex={0} onKeyDown={onKeyDown}>
      <audio ref={audio} src={src} preload="none" onPlay={() => { setPlaying(true) }} onPause={() => { setPlaying(false) }} onEnded={() => { setPlaying(false) }}
        onSeeked={() => { setAt(audio.current?.currentTime ?? 0) }} onError={() => { void failed() }} />
      <div className="rec-wave" role="img" aria-label={words.recordings.waveform(clock(seconds))}>
        <span className="side" data-side="caller">{words.recordings.balanceCaller}</span>
        <span className="side" data-side="agent">{words.recordings.balanceAgent}</span>
        <div ref={drawing} />
        <Marks gaps={recording.gaps} silences={quiet} seconds={seconds} />
      </div>
      <input type="range" className="seek" min={0} max={seconds} step={0.1} value={Math.min(at, seconds)} aria-label={words.recordings.position}
        aria-valuetext={`${clock(at)} / ${clock(seconds)}`} onChange={(event) => { seek(Number(event.currentTarget.value)) }} />
      <div className="rec-player-row">
        <ActionIcon variant="default" size="lg" aria-label={words.recordings.back5} onClick={() => { seek(at - STEP) }}>−5</ActionIcon>
        <Button onClick={toggle} leftSection={<Icon name={playing ? 'hold' : 'resume'} size={18} />} miw={130}>{playing ? words.recordings.pause : words.recordings.play}</Button>
        <ActionIcon variant="default" size="lg" aria-label={words.recordings.forward5} onClick={() => { seek(at + STEP) }}>+5</ActionIcon>
        <span className="numbers" aria-hidden="true"><strong>{clock(at)}</strong> / {clock(seconds)}</span>
        <NativeSelect size="xs" aria-label={words.recordings.speed} value={speed} onChange={(event) => { setSpeed(event.currentTarget.value) }}
          data={SPEEDS.map((value) => ({ value, label: `${t.format.figure(Number(value), value.split('.')[1]?.length ?? 0)} ×` }))} />
        <Switch size="sm" checked={skip} onChange={(event) => { setSkip(event.currentTarget.checked) }}
          label={quiet.length > 0 ? `${words.recordings.skip} (${words.recordings.skipSaves(clock(saved(quiet)))})` : words.recordings.skip} disabled={quiet.length === 0} />
      </div>
      <div className="rec-player-row">
        {side('caller', words.recordings.muteCaller)}
        <label className="balance">
          <span>{words.recordings.balanceCaller}</span>
          <input type="range" min={-1} max={1} step={0.1} value={balance} aria-label={words.recordings.balance}
            aria-valuetext={words.recordings.balanceAt(t.format.percent(loud.caller), t.format.percent(loud.agent))}
            onChange={(event) => { setBalance(Number(event.currentTarget.value)) }} onDoubleClick={() => { setBalance(0) }} />
          <span>{words.recordings.balanceAgent}</span>
        </label>
        {side('agent', words.recordings.muteAgent)}
      </div>
      <Gaps recording={recording} onJump={seek} />
      <p className="soft small" id="player-keys">{words.recordings.keys}</p>
    </div>
  )
}

/** What the server says when the audio is asked for once more; null: nothing is wrong with it. */
async function whyNot(id: string, faults: Record<string, string>): Promise<string | null> {
  try {
    await request<Recording>('GET', `/recordings/${encodeURIComponent(id)}`)
    const answer = await fetch(`/api/v1/recordings/${encodeURIComponent(id)}/audio`, { headers: { Range: 'bytes=0-0' }, credentials: 'same-origin' })
    if (answer.ok) return null
    const { title, detail } = (await answer.json()) as { title: string; detail: string }
    return faults[title] ?? detail
  } catch (error) {
    return error instanceof Fault ? error.message : null
  }
}

function Gaps({ recording, onJump }: { recording: Recording; onJump(to: number): void }) {
  const t = useTexts()
  const words = useRecordsWords()
  return (
    <div>
      <div className="row">
        <span className="wave-legend"><i data-kind="gap" />{words.recordings.gapWord}</span>
        <span className="wave-legend"><i data-kind="silence" />{words.recordings.silence}</span>
        {recording.gaps.length === 0 && <span className="soft small">{words.recordings.noGaps}</span>}
      </div>
      {recording.gaps.length > 0 && (
        <ul className="gap-list">
          {recording.gaps.map(({ start, seconds, why }) => {
            const said = words.recordings.gap(clock(start), words.seconds(t.format.figure(seconds, seconds < 10 ? 1 : 0)), words.recordings.gapWhy[why] ?? why)
            return <li key={`${start}-${why}`}><Button size="compact-xs" variant="subtle" aria-label={`${said}. ${words.recordings.jump(clock(start))}`} onClick={() => { onJump(start) }}>{said}</Button></li>
          })}
        </ul>
      )}
    </div>
  )
}
