// Words of health: alarms, nodes, jobs, reconciliations.
export const en = {
  title: 'Health', lead: 'Is everything well, and if not, what to do.', well: 'Nothing is wrong.', alarms: 'Alarms', since: 'Since', what: 'What',
  kinds: {
    'upload-backlog': 'Uploads pile up', 'disk-reserve': 'Disk almost full', 'store-away': 'Store cannot be reached', 'object-conflict': 'Something else lies in a recording’s place',
    'destruction-waits': 'Destruction waits', 'recording-failed': 'Recording fails', 'recording-damaged': 'A recording is damaged', 'recording-lost': 'A recording is lost',
    'keys-away': 'Keys cannot be reached', 'job-fails': 'A job fails again and again', 'reconciliation': 'Database and store differ', 'retention-lag': 'Retention is behind',
    'audit-anchor': 'Anchoring fails', 'webhook': 'A webhook gave up',
  } as Record<string, string>,
  hints: {
    'upload-backlog': 'See whether the store is reached and fast enough; calls go on meanwhile.', 'disk-reserve': 'Make room on the spool’s disk: without it recording stops.',
    'store-away': 'Check address, credentials and network of the store. Recordings wait in the spool.', 'object-conflict': 'Somebody else writes to the bucket. Look at the object before you remove it.',
    'destruction-waits': 'Copies wait to be removed; the key is gone already. See the job’s error below.', 'recording-failed': 'See the disk and the log of the node.',
    'recording-damaged': 'Compare with a backup of the store; do not remove anything.', 'recording-lost': 'Nothing brings it back; write down why.', 'keys-away': 'Check the key service; nothing can be heard or stored without it.',
    'job-fails': 'See its error below, mend the cause, then retry.', 'reconciliation': 'Open the latest comparison below.', 'retention-lag': 'Things are kept longer than promised. See jobs below.',
    'audit-anchor': 'See the anchors in the audit log: the place they go to cannot be reached.', 'webhook': 'See the webhook’s deliveries; mend its receiver, then retry.',
  } as Record<string, string>,
  nodes: 'Nodes', node: 'Node', version: 'Version', up: 'Up since', seen: 'Seen', calls: 'Calls', state: 'State', draining: 'Draining', working: 'Working', gone: 'Not seen', here: 'this one', noNodes: 'No nodes.',
  jobs: 'Jobs', jobsLead: 'What waits to be done, the oldest first.', noJobs: 'Nothing waits.', kind: 'Kind', waiting: 'Waiting', running: 'Running', failing: 'Failing', oldest: 'Oldest', subject: 'About', attempts: 'Attempts', due: 'Due', progress: 'Progress', error: 'Last error', retry: 'Retry now', retryOf: (kind: string, subject: string) => `Retry ${kind} ${subject}`, retried: 'It is due now.',
  jobKinds: { rescue: 'Put right after a crash', encode: 'Encode', upload: 'Upload', destroy: 'Destroy', reconcile: 'Compare', retention: 'Retention', privacy: 'People’s data', webhook: 'Webhook', anchor: 'Anchor' } as Record<string, string>,
  running_: (who: string) => `runs on ${who}`, progressOf: (kind: string) => `Progress of ${kind}`,
  reconciliations: 'Comparisons of database and store', reconciliationsLead: 'Each finds what is in one and not in the other.', noReconciliations: 'None yet.', begin: 'Compare now', begun: 'It begins.', began: 'Began', ended: 'Ended', by: 'By', findings: 'Findings', openOf: (when: string) => `Open the comparison of ${when}`,
  recStates: { running: 'Running', ended: 'Ended', failed: 'Gave up' }, detail: (when: string) => `Comparison of ${when}`, noFindings: 'No findings: both agree.', resolved: 'Resolved', orphan: 'Remove…', orphanTitle: 'Remove this object from the store', orphanLead: 'It belongs to no recording that is known. Removed, it is gone for good.', orphanConfirm: 'Remove for good', orphanOf: (name: string) => `Remove ${name}`, removed: 'Removed.', counts: 'Counts',
  findingKinds: {
    'orphan': 'Object without recording', 'lost': 'Recording without object', 'wrong-size': 'Wrong size', 'wrong-content': 'Wrong content', 'unfinished-upload': 'Unfinished upload', 'late-job': 'Late job', 'no-job': 'Job missing',
    'spool-lost': 'Spool file missing', 'spool-orphan': 'Spool file without recording', 'spool-left': 'Spool file left', 'stuck': 'Stuck', 'segments-left': 'Parts left', 'not-gone': 'Destroyed, but still there', 'unknown-kek': 'Unknown key', 'call-failed': 'Call could not be judged',
  } as Record<string, string>,
  countNames: {
    'calls': 'Calls judged', 'recorded': 'Recorded', 'not-recorded': 'Lawfully not recorded', 'failed': 'Failed', 'open': 'Go on', 'recordings': 'Recordings', 'objects': 'Objects', 'bytes': 'Size', 'verified': 'Read and hashed',
    'traced': 'Destroyed and looked for', 'elsewhere': 'In other nodes’ spools', 'healed': 'Mended', 'losses': 'Losses of audio', 'failed-lately': 'Failed lately',
  } as Record<string, string>,
  faults: { 'not-now': 'It belongs to a recording by now.', 'locked': 'The store keeps it locked.', 'store-away': 'The store cannot be reached.', 'no-orphan': 'It is not there any more.' } as Record<string, string>,
  none: '–', now: 'now',
}

export type Words = typeof en
