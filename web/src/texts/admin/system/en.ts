export const en = {
  title: 'System settings', lead: 'What holds for all, unless a queue says otherwise.',
  needsRecording: 'How long things are kept is set by who may configure recording.',
  retention: 'Retention', retentionLead: 'Changes act on what is stored already. Simulate them first on the page Retention.', passwords: 'Passwords & log-in', sessions: 'Sessions', audit: 'Audit log', privacy: 'People’s data', webhooks: 'Webhooks', place: 'Time',
  names: {
    'time-zone': 'Time zone', 'retention-calls': 'Call data is kept', 'retention-recordings': 'Recordings are kept', 'retention-reporting': 'Reporting data is kept',
    'password-longer-than': 'Passwords are longer than (characters)', 'password-history': 'Earlier passwords that cannot be used again', 'password-expires': 'Passwords expire', 'lock-after': 'Failures until a name is locked', 'lock-for': 'Locked for',
    'session-idle': 'A session ends when unused for', 'session-absolute': 'A session ends at the latest after', 'second-factor': 'Second factor', 'audit-off': 'Classes that are written', 'anchor-every': 'The chain’s head is anchored every', 'anchor-to': 'Anchored to',
    'second-approver': 'Erasing needs a second person', 'keep-reports': 'Reports and zips are kept for', 'webhook-networks': 'Private networks that webhooks may reach',
  },
  hints: {
    'time-zone': 'In which opening hours and days are meant: Europe/Vienna.', 'retention-calls': 'Then recordings go and calls become anonymous.', 'retention-reporting': 'Anonymous figures; then they go, too.',
    'audit-off': '“rights” and “modify” cannot be switched off: they prove consents and destructions.', 'anchor-to': 'A file (/path/anchors.jsonl), “store”, or “webhook NAME”.', 'second-approver': 'Another user with the right has to agree.',
    'webhook-networks': 'None: webhooks go to public addresses only, not even to this machine. 10.1.0.0/16, 127.0.0.1; only a superuser changes this.',
  },
  factors: { optional: 'Whoever wants one', required: 'Everybody who logs in with a password' },
  classes: {
    presence: 'Agents coming, going, ready or not', config: 'Settings changed', rights: 'Rights and passwords changed', modify: 'Data made, changed or destroyed', read: 'Data seen or exported', failure: 'Something was refused or went wrong',
    system: 'The course of calls and of the server',
  },
}

export type Words = typeof en
