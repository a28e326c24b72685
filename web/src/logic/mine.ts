// What of all that goes on is this agent's, and what the agent may do with it now. Pure. The server decides in the
// end (409): this only keeps buttons away that cannot work.
import type { CallView, PartyView, Session } from '../api/types'
import type { Live } from './live'

export interface Mine {
  call: CallView
  /** This agent in it. */
  party: PartyView
  /** Everybody else but the caller, supervisors too. */
  others: PartyView[]
}

/** The agent's call, ringing or not. */
export function mine(live: Live, agent: string | null): Mine | null {
  if (agent === null) return null
  const named = live.agents.get(agent)?.call
  const first = named ? live.calls.get(named) : undefined
  for (const call of first ? [first, ...live.calls.values()] : live.calls.values()) {
    const party = call.parties.find((one) => one.kind === 'agent' && one.id === agent)
    if (party && call.phase !== 'over') {
      return { call, party, others: call.parties.filter((one) => one !== party) }
    }
  }
  return null
}

export interface Abilities {
  transfer: boolean
  consult: boolean
  complete: boolean
  threeWay: boolean
  back: boolean
  hold: boolean
  /** The conversation is this agent's: another's guest only listens and talks. */
  owner: boolean
}

export function abilities({ call, party, others }: Mine): Abilities {
  const owner = party.state !== 'consulted' && party.state !== 'dialled' && party.state !== 'ringing'
  const answered = others.some((other) => other.kind !== 'supervisor' && ['consulted', 'talking'].includes(other.state))
  const in_ = (...phases: CallView['phase'][]) => owner && phases.includes(call.phase)
  return {
    owner,
    transfer: in_('talking'),
    consult: in_('talking'),
    complete: in_('consulting', 'conference'),
    threeWay: in_('consulting') && answered,
    back: in_('consulting', 'conference'),
    hold: in_('talking', 'conference'),
  }
}

/** How a transfer or consultation came back to the caller by itself: nobody was to be had, or who was asked has left. */
export function cameBack(before: Mine | null, after: Mine | null): 'unreached' | 'left' | null {
  if (!before || !after || before.call.id !== after.call.id || after.call.phase !== 'talking') return null
  if (before.call.phase === 'transferring') return 'unreached'
  if (before.call.phase !== 'consulting' || !abilities(before).owner) return null
  return abilities(before).threeWay ? 'left' : 'unreached'
}

/** The call this user supervises, and how. */
export function supervised(live: Live, user: string): { call: CallView; party: PartyView } | null {
  for (const call of live.calls.values()) {
    const party = call.parties.find((one) => one.kind === 'supervisor' && one.id === user)
    if (party) return { call, party }
  }
  return null
}

export const may = (session: Session, right: Session['rights'][number]) => session.rights.includes(right)
