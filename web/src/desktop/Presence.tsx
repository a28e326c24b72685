import { Button, Menu } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'

import { api } from '../api/client'
import type { AgentView } from '../api/types'
import { CommandButton, Timer, useCommand, useCountdown, useDesk, useKeepFocus, useLive, usePhone } from '../app/hooks'
import { useTexts, type Texts } from '../texts'
import { Icon } from '../ui/icons'

import { keys, useShortcuts } from './shortcuts'

/** The reasons are the operator's; those everybody has are translated. */
export const reasonWords = (t: Texts, reason: string) => t.presence.reasons[reason.toLowerCase()] ?? reason

/** The agent's own state, always in sight, and the two buttons that change it. */
export function Presence({ agent }: { agent: string }) {
  const t = useTexts()
  const { phone } = useDesk()
  const { line } = usePhone()
  const me = useLive().agents.get(agent)
  const command = useCommand()
  const { keep } = useKeepFocus<HTMLElement>('part')
  const state = me?.state ?? 'logged-off'
  const inCall = state === 'talking' || state === 'ringing'
  const ready = async () => {
    if (!line) void phone.tryMicrophone()
    await api.presence({ ready: true })
  }
  const canReady = state === 'not-ready' || state === 'wrap-up' || state === 'logged-off'
  useShortcuts({ ready: canReady ? () => { void command(ready) } : undefined })
  return (
    <section aria-label={t.presence.label} className="apart grow" {...keep}>
      <div className="row">
        <span className="state" role="status">
          <span className="dot" data-state={state} />
          {t.presence.states[state]}{me?.reason ? `: ${reasonWords(t, me.reason)}` : ''}
        </span>
        {me && <StateClock agent={me} />}
        <span className="soft">{hint(t, state)}</span>
      </div>
      <div className="row">
        <CommandButton act={ready} disabled={!canReady} color="green" leftSection={<Icon name="check" size={18} />}
          aria-keyshortcuts={keys('ready')}>{t.presence.ready}</CommandButton>
        <NotReady disabled={inCall} />
      </div>
    </section>
  )
}

function NotReady({ disabled }: { disabled: boolean }) {
  const t = useTexts()
  const command = useCommand()
  const { data: reasons } = useQuery({ queryKey: ['reasons'], queryFn: api.reasons, staleTime: Infinity })
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" disabled={disabled} leftSection={<Icon name="hold" size={18} />}>{t.presence.notReady}</Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t.presence.why}</Menu.Label>
        {(reasons ?? []).map((reason) => (
          <Menu.Item key={reason} onClick={() => { void command(() => api.presence({ ready: false, reason })) }}>
            {reasonWords(t, reason)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

function StateClock({ agent }: { agent: AgentView }) {
  const t = useTexts()
  const left = useCountdown(agent.state === 'wrap-up' ? agent.until : null)
  if (left !== null) return <strong role="timer" aria-live="off">{t.presence.wrapUpEnds(left)}</strong>
  return <Timer from={agent.since} />
}

function hint(t: Texts, state: AgentView['state']): string {
  switch (state) {
    case 'ready': return t.presence.readyHint
    case 'not-ready': return t.presence.notReadyHint
    case 'wrap-up': return t.presence.wrapUpHint
    case 'logged-off': return t.presence.loggedOffHint
    case 'ringing':
    case 'talking': return ''
  }
}
