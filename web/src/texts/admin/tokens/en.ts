export const en = {
  title: 'Tokens', lead: 'For machines that use the API. A token has at most the rights of who makes it, and ends by itself.', add: 'New token', empty: 'No tokens yet.',
  name: 'Name', nameHint: 'What uses it: “nightly-export”.', by: 'Made by', rights: 'Rights', created: 'Made', expires: 'Ends', used: 'Last used', state: 'State', never: 'never', days: 'Valid for (days)', daysHint: 'At most 365.',
  states: { valid: 'Valid', expired: 'Ended', revoked: 'Revoked' }, revoke: 'Revoke', revokeOf: (name: string) => `Revoke ${name}`, revokeLead: (name: string) => `“${name}” stops working at once.`, revoked: 'Token revoked.',
  password: 'Your password', passwordHint: 'A token outlives your session: type your password once more.',
  shown: 'The new token', shownLead: 'Copy it now: it is not shown again. It goes into the header “Authorization: Bearer …”.', copy: 'Copy', copied: 'Copied.', done: 'Done', secret: 'Token', make: 'Make token', noRights: 'Choose at least one right.', noName: 'Give it a name.',
}

export type Words = typeof en
