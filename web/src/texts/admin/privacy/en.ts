// Words of people's data: search, tasks, directory.
export const en = {
  title: 'Requests', lead: 'Everything that is known of a person: find it, report it, erase it. Every search and download is audited.',
  number: 'Number', numberHint: 'The last digits, 3 or more; spaces do not matter', email: 'E-mail', name: 'Name', since: 'From', until: 'To', search: 'Search', searching: 'Searching…',
  missing: 'Give a number, an e-mail or a name.', tooShort: 'Take at least 3 digits or letters.', tooMany: 'More than 1,000 fit. These are the first: narrow the search.', took: (ms: string) => `Found in ${ms}.`, nothing: 'Nothing is known of this person.',
  first: (n: number, all: number) => (n < all ? `${n} shown of ${all}` : `${all}`), groups: { calls: 'Calls', recordings: 'Recordings', consents: 'Consents', entries: 'Directory entries' },
  all: (what: string) => `Select all: ${what}`, one: (what: string) => `Select ${what}`, selectedOf: (calls: number, entries: number, consents: boolean) => `Selected: ${calls} ${calls === 1 ? 'call' : 'calls'}, ${entries} directory ${entries === 1 ? 'entry' : 'entries'}${consents ? ', consents' : ''}`,
  withConsents: 'The consents of these calls, too', nothingSelected: 'Select calls or entries first.', arrived: 'Arrived', caller: 'Caller', queue: 'Queue', agent: 'Agent', state: 'State', answer: 'Answer', list: 'List', note: 'Note', time: 'Time', call: 'Call', restricted: 'restricted', anonymised: 'anonymised',
  recordingsFollow: 'Recordings go with their calls.', open: 'Open', withheld: 'withheld', none: '–',
  actions: 'What to do with what is selected', kinds: {
    report: 'Report (CSV)', zip: 'Recordings (zip)', erase: 'Erase', restrict: 'Restrict', unrestrict: 'Lift restriction', move: 'Move out', consents: 'Export consents',
  },
  means: {
    report: 'A CSV file of all that is selected: calls, notes, attached data, consents, directory entries. Hand it to the person who asks.',
    zip: 'A zip file of the recordings that can be heard, with a list. Everybody who speaks in them is in it: look at that before you hand it out.',
    erase: 'What is selected is gone for good: recordings are destroyed, numbers, names, notes and attached data are replaced by {Anonymized by DPO}, directory entries are removed. Figures stay. Nobody can undo this, neither can we. A certificate is made.',
    restrict: 'What is selected disappears from every list, search and player for everybody without the right “data protection officer”. Nothing is deleted; the restriction can be lifted.',
    unrestrict: 'What is selected can be seen again by everybody with the usual rights.',
    move: 'What is selected is exported to a separate, encrypted store, read back and compared, and only then erased here.',
    consents: 'A CSV file of the consents.',
  },
  ask: (kind: string) => `${kind}…`, titleOf: (kind: string, calls: number, entries: number) => `${kind}: ${calls} ${calls === 1 ? 'call' : 'calls'}, ${entries} ${entries === 1 ? 'entry' : 'entries'}`,
  password: 'Password of the zip file', passwordHint: 'Optional. Send it on another way than the file.',
  eraseTick: (calls: number, entries: number) => `I have checked that what is selected (calls: ${calls}, directory entries: ${entries}) is of the person who asks.`, tickMissing: 'Tick the box first.',
  start: 'Start', started: 'The task was made. Follow it under Tasks.', needsApproval: 'Another data protection officer has to approve it.', eraseConfirm: 'Erase for good',
  tasks: 'Tasks', tasksLead: 'What was asked for, how far it is, and its files.', noTasks: 'No tasks yet.', kind: 'What', by: 'Asked by', at: 'Asked', progress: 'Progress', approvedBy: 'Approved by', file: 'Result', ended: 'Ended', expires: (when: string) => `until ${when}`, counts: 'Of',
  countsOf: (calls: number, recordings: number, consents: number, entries: number) => [[calls, 'calls'], [recordings, 'recordings'], [consents, 'consents'], [entries, 'entries']].filter(([n]) => n).map(([n, what]) => `${n} ${what}`).join(', ') || '–',
  states: { 'waiting-for-approval': 'Waits for approval', 'waiting': 'Waits', 'running': 'Running', 'done': 'Done', 'failed': 'Failed', 'refused': 'Refused' },
  approve: 'Approve…', approveTitle: (kind: string) => `Approve: ${kind}`, approveConfirm: 'Approve', refuse: 'Refuse…', refuseTitle: (kind: string) => `Refuse: ${kind}`, refuseConfirm: 'Refuse', refuseLead: 'The task ends; who asked sees your reason.', own: 'You asked for this: another data protection officer approves it.',
  approved: 'Approved: it begins now.', refused: 'Refused.', download: 'Download', certificate: 'Certificate', downloadOf: (kind: string, when: string) => `Download the result of ${kind}, ${when}`, expired: 'expired', progressOf: (kind: string) => `Progress of ${kind}`,
  directory: 'Directory', directoryLead: 'Address books and outbound lists, so that a report covers them. They are used for nothing else.', noEntries: 'No entries fit.', find: 'Search', remove: 'Remove…', removeOf: (name: string) => `Remove ${name}`, removeTitle: (name: string) => `Remove ${name}`, removeLead: 'The entry is removed from the directory.', removeConfirm: 'Remove', removed: 'Removed.', added: 'Added',
  import: 'Import a CSV file…', importTitle: 'Import into the directory', importLead: 'Columns: list, name, number, email, note; the first line names them. Entries with the same list and number or e-mail are changed, others added; none is removed.', chooseFile: 'CSV file', importButton: 'Import',
  imported: (added: number, changed: number) => `Added ${added}, changed ${changed}.`, importErrors: (n: number) => `${n} ${n === 1 ? 'line was' : 'lines were'} not taken:`, line: 'Line', what: 'What is wrong', noFile: 'Choose a file.', preview: (lines: number) => `${lines} lines`,
  columnsMissing: (names: string) => `The first line lacks these columns: ${names}.`, tooBig: 'The file is larger than 10 MB: split it.',
}

export type Words = typeof en
