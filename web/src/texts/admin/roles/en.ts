import type { Right, Role } from '../../../api/types'

export const en = {
  title: 'Roles', lead: 'A role holds rights. The fixed ones cannot be changed: copy one and change the copy.', add: 'New role', empty: 'No roles of your own yet. Copy a fixed one below.',
  fixed: 'Fixed roles', fixedLead: 'Always there, and the same everywhere.', copy: 'Copy', copyOf: (role: string) => `Copy ${role}`, rightsN: (n: number) => (n === 1 ? '1 right' : `${n} rights`),
  names: { description: 'What it is for', rights: 'Rights' }, usedBy: 'Users', from: (role: string) => `Like ${role}`,
  special: 'No role holds these: they are granted to one user at a time.',
  groups: { work: 'Take calls', supervise: 'Supervise', recordings: 'Recordings', see: 'See', configure: 'Configure', special: 'People’s data' },
  roles: {
    'superuser': 'Superuser', 'supervisor': 'Supervisor', 'agent': 'Agent', 'reporting': 'Reporting', 'queue-administrator': 'Queue administrator',
    'ivr-administrator': 'IVR administrator', 'recording-administrator': 'Recording administrator', 'advanced-monitoring': 'Advanced monitoring',
  } satisfies Record<Role, string> as Record<Role, string>,
  rights: {
    'take-calls': 'Have a phone here and take calls', 'override': 'Record without consent, where the queue allows it', 'wallboard': 'See all calls, agents and queues as they are',
    'listen-live': 'Hear a conversation as it goes on', 'whisper': 'Speak to the agent alone in a conversation', 'barge': 'Speak to all in a conversation',
    'view-listening-logs': 'See everybody’s entries in the listening log', 'listen-recordings': 'Hear recordings', 'export-recordings': 'Take recordings out, with the numbers of those who speak',
    'destroy-recordings': 'Destroy a recording before its time', 'manage-vault': 'See and hurry jobs, compare database and store, remove orphans',
    'view-calls': 'See past calls, their notes and attached data', 'view-reports': 'See figures: calls and consents by queue and day', 'view-consents': 'See consents, with numbers',
    'view-audit-log': 'See the audit log, export and verify it', 'configure-queues': 'Set queues: strategy, hours, overflow, times', 'configure-recording': 'Set what is recorded, on which ground and for how long; simulate retention',
    'configure-prompts': 'Upload prompts, set what they say', 'configure-trunks': 'Set trunks and numbers', 'configure-agents': 'Set agents and their skills', 'manage-users': 'Set users (whose rights only who manages roles grants)',
    'manage-roles': 'Make roles, grant rights, set sign-on', 'configure-system': 'Set webhooks, tokens, rules of passwords, the audit log', 'manage-holds': 'Hold recordings and calls back from removal',
    'monitor': 'See health: nodes, alarms, jobs, SIP messages of a call', 'dpo': 'Find, report, erase, restrict what is known of a person', 'customer-consent': 'Export, reset and withdraw consents',
  } satisfies Record<Right, string> as Record<Right, string>,
}

export type Words = typeof en
