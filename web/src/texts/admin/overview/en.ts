export const en = {
  title: 'Overview', lead: 'What goes on, and what needs somebody.',
  alarms: 'Alarms', noAlarms: 'No alarms.', since: (moment: string) => `since ${moment}`,
  now: 'Now', callsNow: 'Calls now', today: 'Today', offered: 'Offered', answered: 'Answered', recorded: 'Recorded',
  consent: 'Consent given', consentOf: (given: number, asked: number) => `${given} of ${asked} asked`,
  recordings: 'Recordings', storedAt: (at: string) => `Stored, as counted at ${at}`, counting: 'Being counted', waiting: 'Waiting to be stored', failed: 'Failed',
  retention: 'Retention', due: 'Due for removal', lag: 'Behind by', onTime: 'on time',
  people: 'People’s data', tasks: 'Open tasks', audit: 'Audit log', rows: 'Rows', anchored: 'Last anchored', never: 'never',
  findings: 'What the linter finds in queues', noFindings: 'Nothing: all queues do what their texts say.', queue: 'Queue', level: 'Level', what: 'What',
  levels: { stop: 'Should not go live', warn: 'Deserves a thought', note: 'Note' } as Record<string, string>,
}

export type Words = typeof en
