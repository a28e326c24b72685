export const en = {
  title: 'Queues', lead: 'Where callers wait, what they are asked, what is recorded and how long it is kept.', add: 'New queue', empty: 'No queues yet.',
  policy: 'Recording', distribution: 'Distribution', hours: 'Opening hours',
  happens: 'What will happen', findings: 'Findings', noFindings: 'Nothing to object to.', asking: 'Looking…',
  levels: { stop: 'Stop', warn: 'Warning', note: 'Note' } as Record<string, string>,
  onlyRecording: 'Recording rules need the right to configure recording.', onlyQueues: 'This part needs the right to configure queues.',
  recordings: { consent: 'After asking', always: 'Always', never: 'Never' },
  recordingHints: {
    consent: 'Callers are asked. Only a yes records.', always: 'A law or a contract demands it. Callers are told.', never: 'Nothing is recorded or asked.',
  },
  strategies: { 'longest-idle': 'Longest idle agent first', 'round-robin': 'Agents in turn', 'ring-all': 'All agents at once' },
  asks: { 'every-call': 'In every call', 'when-unknown': 'Only callers who never answered', 'older-than': 'When the answer is older than' },
  failures: { continue: 'Go on with the call, unrecorded', 'drop-call': 'End the call' },
  ends: { hangup: 'Say goodbye and hang up', closedHangup: 'Play the closed prompt and hang up', queue: 'Another queue' },
  basisKinds: { obligation: 'Legal obligation', contract: 'Contract' },
  basisHint: 'Which law, which contract: for example MiFID II Art. 16 (7)',
  keyHint: 'One key: 0–9, * or #', always24: 'Always open', setHours: 'At certain hours',
  days: { mon: 'Monday', tue: 'Tuesday', wed: 'Wednesday', thu: 'Thursday', fri: 'Friday', sat: 'Saturday', sun: 'Sunday' },
  short: { mon: 'Mon', tue: 'Tue', wed: 'Wed', thu: 'Thu', fri: 'Fri', sat: 'Sat', sun: 'Sun' },
  closedDay: 'Closed', from: 'From', to: 'To', addSlot: (day: string) => `Add hours on ${day}`, removeSlot: (day: string, n: number) => `Remove hours ${n} of ${day}`,
  slot: (day: string, n: number) => `${day}, hours ${n}`,
  copyDown: 'Copy Monday to Tuesday – Friday', openFor: (hours: string) => `Open ${hours} hours a week`, never: 'never open',
  slotFaults: { backwards: 'The end is before the beginning.', overlap: 'These hours overlap.', bad: 'That is no time.' },
  closedDays: 'Closed on these days', closedHint: 'As 2026-12-25; Enter after each.', badDay: (day: string) => `${day} is no day such as 2026-12-25.`, inZone: 'In the system’s time zone.',
  names: {
    'language': 'Language', 'recording': 'Recording', 'legal-basis': 'Legal basis', 'consent': 'Consent question', 'yes': 'Key for yes', 'no': 'Key for no',
    'attempts': 'Attempts', 'timeout': 'Time for an answer', 'barge-in': 'Keys work while the question is spoken', 'ask': 'Who is asked',
    'override-allowed': 'Agents may record without consent (with a reason)', 'pause-limit': 'A pause ends by itself', 'destroy-on-withdrawal': 'A withdrawal destroys what was recorded of the call',
    'on-recording-failure': 'If recording fails', 'retention': 'Call data is kept', 'file-removal': 'Recordings are kept', 'strategy': 'Who gets a call', 'skills': 'Skills needed',
    'priority': 'Priority', 'ring-timeout': 'Ring for', 'wrap-up': 'Wrap-up time', 'max-wait': 'Longest wait', 'overflow': 'After the longest wait', 'hours': 'Opening hours',
    'closed': 'Closed days', 'when-closed': 'Outside opening hours', 'position-every': 'Position is said', 'service-seconds': 'Service level within (seconds)',
  },
  hints: {
    'retention': 'Then recordings go and the call becomes anonymous.', 'file-removal': 'The earlier of the two removes the recording.', 'skills': 'Only agents with all of these get its calls.',
    'priority': 'Calls of a queue with a higher number are served first.', 'override-allowed': 'For emergencies and legal matters; every case is audited.',
  },
}

export type Words = typeof en
