// Words of what all administrators' pages are made of: lists, forms, dialogs, charts.
export const en = {
  table: {
    filters: 'Filters', clear: 'Clear filters', csv: 'Export CSV', more: 'Show more', none: 'Nothing found.', any: 'Any',
    search: 'Search', shown: (n: number, more: boolean) => `${n}${more ? '+' : ''} ${n === 1 ? 'row' : 'rows'}`,
    refresh: 'Refresh', open: (name: string) => `Open ${name}`, actions: 'Actions',
    newest: 'the latest first', oldest: 'the oldest first', from: 'From', to: 'To',
  },
  confirm: { reason: 'Reason', missing: 'Write a reason.', cancel: 'Cancel', yes: 'Yes', no: 'No' },
  work: { done: (done: number, total: number) => `${done} of ${total}`, running: 'Running…' },
  form: {
    save: 'Save', saved: 'Saved.', revert: 'Discard changes', remove: 'Remove', removed: 'Removed.', add: 'Add', create: 'Create', cancel: 'Cancel', close: 'Close',
    name: 'Name', nameHint: 'Letters, digits, . - and _; it cannot be changed later.', nameBad: '1 to 64 letters (a–z), digits, . - and _ only.',
    unsaved: 'There are changes that are not saved.', readOnly: 'You may look at this, but not change it.', copy: 'Copy', copied: 'Copied.',
    wrong: 'This cannot be saved yet:', usual: (value: string) => `Usual: ${value}`, systemDefault: (value: string) => `As the system: ${value}`,
    systemUnknown: 'As the system',
    forever: 'For ever', for: 'For', never: 'Never', amount: 'Amount', unit: 'Unit', optional: 'optional', secretKept: 'Leave empty to keep the stored one.',
    new: 'New', change: 'Change', test: 'Test', details: 'Details',
    listHint: 'Press Enter after each.', back: 'Back', next: 'Next', removeLead: (name: string) => `“${name}” is removed. This cannot be undone.`, removeKept: 'Remove it all the same: recordings and calls that it keeps go sooner.', exists: 'There is one with this name already.',
    yes: 'Yes', no: 'No', on: 'On', off: 'Off', none: '–', all: 'All', loading: 'Loading…', retry: 'Try again',
  },
  units: {
    d: (n: number): string => (n === 1 ? 'day' : 'days'), h: (n: number): string => (n === 1 ? 'hour' : 'hours'),
    m: (n: number): string => (n === 1 ? 'minute' : 'minutes'), s: (n: number): string => (n === 1 ? 'second' : 'seconds'), ms: (): string => 'ms',
  },
  conflict: {
    title: 'Somebody else was faster',
    lead: 'This was changed while you worked on it. Choose for each difference which one shall hold, then save.',
    choose: 'Choice', field: 'Setting', before: 'Before', mine: 'Yours', theirs: 'Now stored', save: 'Save what is chosen', takeTheirs: 'Discard mine',
    none: 'Both say the same now. Save again, or discard yours.', unset: 'not set', gone: 'It was removed by somebody else meanwhile.',
  },
  chart: { asTable: 'As a table', total: 'Total', noData: 'No figures yet.' },
  fault: { changed: 'Somebody else changed it. Read again and try once more.', refused: 'Others refer to it.', gone: 'It is not there any more.', tooMany: 'Too many. Wait a moment.', own: 'That needs another person.' },
}

export type Words = typeof en
