// While I am in somebody's call: how I am heard, and the way out. On every page.
import { Alert, Button } from '@mantine/core'

import { api } from '../api/client'
import { CommandButton, useDesk, useLive, usePhone } from '../app/hooks'
import { supervised } from '../logic/mine'
import { useTexts } from '../texts'
import { Icon } from '../ui/icons'

import { modeOf } from './mode'

export function SupervisorBar() {
  const t = useTexts()
  const { session, phone } = useDesk()
  const { line } = usePhone()
  const now = supervised(useLive(), session.user)
  if (!now) return null
  const mode = modeOf(now.party.state)
  const own = line?.purpose === 'supervise' && line.phase === 'talking'
  return (
    <Alert color="navy" variant="outline" icon={<Icon name="ear" />} role="region" aria-label={t.wallboard.supervise}>
      <div className="apart">
        <div role="status"><strong>{t.wallboard.supervising(now.call.queue)}.</strong> {mode ? t.wallboard.modes[mode] : t.wallboard.dialling}</div>
        <div className="row">
          {own && mode !== 'listen' && (
            <Button size="xs" variant="default" onClick={() => { phone.line?.setMuted(!line.muted) }}>{line.muted ? t.call.unmute : t.call.mute}</Button>
          )}
          <CommandButton size="xs" color="red" act={() => api.stopSupervising(now.call.id)}>{t.wallboard.stop}</CommandButton>
        </div>
      </div>
    </Alert>
  )
}
