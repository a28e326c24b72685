// Words of retention: rules, simulation, what goes when.
export const en = {
  title: 'Retention', lead: 'How long things are kept. Of two deadlines the earlier one removes the recording; when a call’s time is over it is anonymised, and the figures stay.',
  status: 'How it stands', lag: 'Behind by', noLag: 'on time', lastRun: 'Last run', never: 'never', due: 'Due now', removedToday: 'Removed today', held: 'Kept by holds',
  tabs: { rules: 'Rules', change: 'Change and simulate', holds: 'Legal holds' },
  rules: 'Rules in force', whose: 'Whose', system: 'All queues', calls: 'Call data', recordings: 'Recordings', reporting: 'Reporting data', sentence: 'What it means', own: 'own rule', inherited: 'as the system',
  reportingLead: (span: string) => `Anonymised data for reports is kept ${span}.`,
  timeline: 'What goes in the next days', timelineRecordings: 'Recordings', timelineCalls: 'Calls anonymised', noTimeline: 'Nothing goes in the next days.',
  change: 'Change the rules', changeLead: 'Nothing is stored until you save. Simulate first: you see what would go.', forever: 'For ever',
  addQueue: 'Override for a queue', simulate: 'Simulate', simulating: 'Simulating…', noChange: 'Nothing is changed yet.', save: 'Save rules…', discard: 'Discard', stale: 'The rules changed since this simulation: simulate again before you save.',
  simulation: 'What would happen', now: 'As the rules are', proposed: 'As you would have them', difference: 'Difference', took: (seconds: string) => `Simulated in ${seconds}.`,
  impact: { recordings: 'Recordings removed at once', bytes: 'Room freed', calls: 'Calls anonymised', rows: 'Rows of reporting data removed', held: 'Kept by holds' },
  from: 'Comes from', byQueue: 'By queue', examples: 'Examples of what would go sooner', noExamples: 'Nothing would go sooner.', at: 'Recorded', goesAt: 'Would go', after: 'Timeline if this were in force',
  saveTitle: 'Put these rules in force', saveSooner: (recordings: string, calls: string) => `With the next run ${recordings} recordings are removed and ${calls} calls are anonymised that would be kept today. Nothing brings them back.`,
  saveLater: 'Nothing goes sooner than it would anyway.', saveConfirm: 'Put in force', saved: 'The rules are in force.', changedMeanwhile: 'Somebody else changed a rule meanwhile: it was read again. Look at your changes and simulate once more.',
  partly: (done: string) => `Not all could be saved. Stored: ${done}.`,
  queue: 'Queue', recording: 'Recording',
}

export type Words = typeof en
