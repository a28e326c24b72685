// The phone at a glance: registered or not, how loud the microphone, how good the line; and the ways to change it.
import { Button } from '@mantine/core'
import { useEffect, useState } from 'react'

import { useDesk, usePhone } from '../app/hooks'
import { quality, read, type Counters, type Measure } from '../logic/quality'
import { meter } from '../logic/tone'
import { Meter } from '../phone/audio'
import { values } from '../phone/selftest'
import { useTexts } from '../texts'
import { Bars } from '../ui/icons'

import { Devices } from './Devices'
import { MediaTest } from './MediaTest'

/** ms between two readings: long enough for a share of 100 packets. */
const READING = 2000

export function PhoneCard() {
  const t = useTexts()
  const { phone } = useDesk()
  const { link, line } = usePhone()
  const [open, setOpen] = useState<'devices' | 'test' | null>(null)
  const talking = line?.phase === 'talking'
  return (
    <section className="card stack" style={{ gap: 12 }} aria-label={t.phone.title}>
      <div className="apart">
        <h2>{t.phone.title}</h2>
        <span className="state" role="status" style={{ fontSize: '0.9rem' }}>
          <span className="dot" data-state={link === 'registered' ? 'live' : link === 'failed' ? 'lost' : 'logged-off'} />{t.phone[link]}
        </span>
      </div>
      {talking && <LineQuality />}
      {talking && phone.line?.microphone && <LevelMeter key={phone.line.microphone.id} stream={phone.line.microphone} />}
      <div className="row">
        <Button variant="default" size="sm" onClick={() => { setOpen('devices') }}>{t.phone.devices}</Button>
        <Button variant="default" size="sm" onClick={() => { setOpen('test') }}>{t.test.button}</Button>
      </div>
      <Devices opened={open === 'devices'} onClose={() => { setOpen(null) }} />
      <MediaTest opened={open === 'test'} onClose={() => { setOpen(null) }} />
    </section>
  )
}

function LineQuality() {
  const t = useTexts()
  const { phone } = useDesk()
  const [now, setNow] = useState<{ measure: Measure; relayed: boolean } | null>(null)
  useEffect(() => {
    let before: { peer: RTCPeerConnection; counters: Counters } | null = null
    const look = async () => {
      const peer = phone.line?.peer
      if (!peer || peer.connectionState === 'closed') return
      // A new connection counts anew.
      const known = before?.peer === peer ? before.counters : null
      const { counters, measure, relayed } = read(await values(peer), known, performance.now())
      before = { peer, counters }
      setNow({ measure, relayed })
    }
    const timer = window.setInterval(() => { void look() }, READING)
    void look()
    return () => { window.clearInterval(timer) }
  }, [phone])
  const { grade, bars, causes } = quality(now?.measure ?? { loss: null, theirLoss: null, jitter: null, roundTrip: null })
  const tone = grade === 'good' ? 'good' : grade === 'unknown' ? 'soft' : grade === 'fair' ? 'warn' : 'bad'
  const percent = (share: number | null | undefined) => (typeof share === 'number' ? t.format.percent(share) : t.quality.none)
  const ms = (value: number | null | undefined) => (typeof value === 'number' ? t.format.milliseconds(value) : t.quality.none)
  return (
    <div className="stack" style={{ gap: 6 }}>
      <div className="apart">
        <span className="soft">{t.phone.quality}</span>
        <span className={`state ${tone}`} role="status"><Bars bars={bars} /><span className="hidden">{t.quality.bars(bars)}</span>{t.quality.grade[grade]}</span>
      </div>
      {causes.length > 0 && <p className={tone}>{causes.map((cause) => t.quality.cause[cause]).join(', ')}</p>}
      <dl className="facts" style={{ justifyContent: 'space-between' }}>
        <div><dt>{t.quality.loss}</dt><dd>{percent(now?.measure.loss)}</dd></div>
        <div><dt>{t.quality.jitter}</dt><dd>{ms(now?.measure.jitter)}</dd></div>
        <div><dt>{t.quality.roundTrip}</dt><dd>{ms(now?.measure.roundTrip)}</dd></div>
      </dl>
      {now?.relayed && <p className="soft">{t.quality.relayed}</p>}
    </div>
  )
}

/** How loud a stream is, ten times a second. */
export function LevelMeter({ stream }: { stream: MediaStream }) {
  const t = useTexts()
  const [share, setShare] = useState(0)
  useEffect(() => {
    const source = new Meter(stream)
    const timer = window.setInterval(() => { setShare(meter(source.level())) }, 100)
    return () => {
      window.clearInterval(timer)
      source.close()
    }
  }, [stream])
  return (
    <div className="stack" style={{ gap: 4 }}>
      <span className="soft">{t.devices.level}</span>
      <div className="meter" role="meter" aria-label={t.devices.level} aria-valuemin={0} aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}><div style={{ transform: `scaleX(${share})` }} /></div>
    </div>
  )
}
