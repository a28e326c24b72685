// The media self-test: one click, then in words what works and what does not.
import { Alert, Button, Loader, Modal, Stack } from '@mantine/core'
import { useEffect, useState } from 'react'

import { useDesk, usePhone } from '../app/hooks'
import { verdict, type Check, type Detail, type Findings } from '../logic/verdict'
import { selfTest } from '../phone/selftest'
import { useTexts, type Texts } from '../texts'
import { Icon } from '../ui/icons'

export function MediaTest({ opened, onClose }: { opened: boolean; onClose(): void }) {
  const t = useTexts()
  const { line } = usePhone()
  return (
    <Modal opened={opened} onClose={onClose} title={t.test.title} size="lg" closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack>
        <p className="soft">{t.test.lead}</p>
        {line ? <Alert color="yellow" variant="outline">{t.test.busy}</Alert> : <Run />}
      </Stack>
    </Modal>
  )
}

function Run() {
  const t = useTexts()
  const { phone } = useDesk()
  const [round, setRound] = useState(0)
  const [found, setFound] = useState<Findings | null>(null)
  const [done, setDone] = useState(false)
  useEffect(() => {
    let over = false
    setDone(false)
    setFound(null)
    const tell = (found: Findings) => { if (!over) setFound(found) }
    void selfTest(phone, tell).catch(() => undefined).finally(() => { if (!over) setDone(true) })
    return () => { over = true }
  }, [phone, round])
  const checks = found ? verdict(found, window.location.hostname) : []
  const worst = checks.some(({ state }) => state === 'failed') ? 'failed' : checks.some(({ state }) => state === 'warning') ? 'warning' : 'ok'
  return (
    <>
      <div role="status" className="row">
        {!done ? <><Loader size="sm" />{t.test.running}</>
          : <strong className={worst === 'ok' ? 'good' : worst === 'warning' ? 'warn' : 'bad'}>
              {worst === 'ok' ? t.test.fine : worst === 'warning' ? t.test.warned : t.test.wrong}</strong>}
      </div>
      <ul className="checks">{checks.map((check) => <Row key={check.step} check={check} pending={!done && check.state === 'skipped'} />)}</ul>
      <div className="row" style={{ justifyContent: 'flex-end' }}>
        <Button variant="default" disabled={!done} onClick={() => { setRound(round + 1) }}>{t.test.run}</Button>
      </div>
    </>
  )
}

const SIGNS = { ok: 'check', warning: 'warning', failed: 'cross', skipped: 'skip' } as const
const TONES = { ok: 'good', warning: 'warn', failed: 'bad', skipped: 'soft' } as const

function Row({ check, pending }: { check: Check; pending: boolean }) {
  const t = useTexts()
  const tone = TONES[check.state]
  const detail = check.state === 'skipped' || !check.detail ? null : detailWords(t, check.detail)
  return (
    <li>
      <span className={tone}><Icon name={SIGNS[check.state]} /></span>
      <strong>{t.test.steps[check.step]}</strong>
      <span className={tone}>{pending ? '…' : t.test.states[check.state]}</span>
      {(check.state === 'failed' || check.state === 'warning') && <p>{t.test.faults[check.fault]}</p>}
      {detail && <p className="soft">{detail}</p>}
    </li>
  )
}

function detailWords(t: Texts, detail: Detail): string {
  switch (detail.kind) {
    case 'status': return t.test.details.status(detail.status)
    case 'address': return t.test.details.address(detail.address, detail.host)
    case 'relayed': return t.test.details.relayed
    case 'direct': return t.test.details.direct
    case 'no-turn': return t.test.details['no-turn']
    case 'measured': {
      const { loss, jitter, roundTrip } = detail
      const words = [
        loss === null ? null : `${t.quality.loss} ${t.format.percent(loss)}`,
        jitter === null ? null : `${t.quality.jitter} ${t.format.milliseconds(jitter)}`,
        roundTrip === null ? null : `${t.quality.roundTrip} ${t.format.milliseconds(roundTrip)}`,
      ]
      return words.filter((word) => word !== null).join(' · ')
    }
  }
}
