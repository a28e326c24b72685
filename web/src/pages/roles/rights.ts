// Rights in the groups they are shown in. Pure.
import type { Right, Role } from '../../api/types'

export const ROLES: Role[] = [
  'superuser', 'supervisor', 'agent', 'reporting', 'queue-administrator', 'ivr-administrator', 'recording-administrator', 'advanced-monitoring',
]
export type RightGroup = 'work' | 'supervise' | 'recordings' | 'see' | 'configure' | 'special'

/** The group of each right: a right that is not named here is a type error. */
const GROUP_OF: Record<Right, RightGroup> = {
  'take-calls': 'work', 'override': 'work',
  'wallboard': 'supervise', 'listen-live': 'supervise', 'whisper': 'supervise', 'barge': 'supervise',
  'listen-recordings': 'recordings', 'export-recordings': 'recordings', 'destroy-recordings': 'recordings', 'manage-holds': 'recordings', 'manage-vault': 'recordings',
  'view-calls': 'see', 'view-reports': 'see', 'view-consents': 'see', 'view-listening-logs': 'see', 'view-audit-log': 'see', 'monitor': 'see',
  'configure-queues': 'configure', 'configure-recording': 'configure', 'configure-prompts': 'configure', 'configure-trunks': 'configure', 'configure-agents': 'configure',
  'manage-users': 'configure', 'manage-roles': 'configure', 'configure-system': 'configure',
  'dpo': 'special', 'customer-consent': 'special',
}
export const ALL_RIGHTS = Object.keys(GROUP_OF) as Right[]
export const isSpecial = (right: Right) => GROUP_OF[right] === 'special'

/** Some rights, by group, empty groups left out. */
export function grouped(rights: Right[]): [RightGroup, Right[]][] {
  const groups: RightGroup[] = ['work', 'supervise', 'recordings', 'see', 'configure', 'special']
  return groups.map((group): [RightGroup, Right[]] => [group, rights.filter((right) => GROUP_OF[right] === group)]).filter(([, list]) => list.length > 0)
}

/** A token never has these, whoever makes it. */
export const NEVER_IN_TOKENS: Right[] = ['manage-roles', 'dpo', 'customer-consent']
