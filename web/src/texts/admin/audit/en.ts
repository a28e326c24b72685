// Words of the audit log.
export const en = {
  title: 'Audit log', lead: 'Who did what, when; each row is chained to the one before. That you read it is written down, too.', none: 'No rows fit.',
  tabs: { rows: 'Rows', whole: 'Proof', anchors: 'Anchors' },
  seq: 'Row', at: 'Time', class: 'Class', actor: 'Who', action: 'What', object: 'Object', change: 'Old → new', about: 'About', since: 'From', until: 'To', objectHint: 'kind, or kind:name', q: 'Search',
  classes: { presence: 'Presence', config: 'Settings', rights: 'Rights', modify: 'Changes', read: 'Reading', failure: 'Failures', system: 'System' } as Record<string, string>,
  was: 'Old', becomes: 'New', unset: 'nothing', erased: '(erased)', erasedHint: 'The person was erased: the value’s key is destroyed. The chain still holds.', none_: '–', detail: (seq: string) => `Row ${seq}`, openRow: (seq: string) => `Open row ${seq}`,
  export: 'Export JSONL', exportLead: 'Whole rows with their hashes, as `sayso audit verify --file` reads them. What you filter is what you get.',
  verify: 'Verify the log', verifyLead: 'Computes every link of the chain anew and compares the anchors. A million rows take seconds.', verifying: 'Verifying…', whole: 'The log is whole', broken: 'The log is broken',
  rows: (n: string, took: string) => `${n} rows in ${took}`, head: 'Head of the chain', faultAt: (seq: string) => `First broken row: ${seq}`, anchorsChecked: (n: string) => `Anchors compared: ${n}`, anchorFault: 'An anchor does not fit', notVerified: 'Not verified in this session.',
  anchors: 'Anchors', anchorsLead: 'The head of the chain, signed and written elsewhere: if rows are cut off at the end, an anchor shows it.', noAnchors: 'No anchors yet.', hash: 'Hash', to: 'Where', state: 'State', states: { anchored: 'Anchored', failed: 'Failed' }, anchorNow: 'Anchor now', anchored: (seq: string, to: string) => `Anchored at row ${seq}: ${to}.`, notAnchored: (to: string) => `Not anchored: ${to}.`,
}

export type Words = typeof en
