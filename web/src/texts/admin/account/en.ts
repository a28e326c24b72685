// Signing in, and what a user does for the safety of one's own account. The log-in page has these, too.
export const en = {
  title: 'Sign-in & security', lead: 'Your password, second factor and sessions.',
  code: 'Code', codeLead: 'Type the code that your device shows, or one of your recovery codes.', codeWrong: 'This code is wrong, or was used already.', confirm: 'Confirm', backToPassword: 'Back',
  or: 'or', with: (provider: string) => `Log in with ${provider}`,
  faults: {
    'no-provider': 'There is no such provider any more.',
    'sign-on-late': 'That took too long. Try again.',
    'sign-on-refused': 'The provider refused the log-in.',
    'no-url': 'Signing in by a provider is not set up: the server does not know its own address.',
    'provider-away': 'The provider cannot be reached.',
    'sign-on-failed': 'What the provider said cannot be trusted. Tell your administrator.',
    'no-user': 'Nobody here is called as your account there. Ask your administrator.',
    'no-role': 'Your account there has no role here. Ask your administrator.',
    'bad-name': 'The name of your account there cannot be used here. Ask your administrator.',
    'other-person': 'This name belongs to somebody else here. Ask your administrator.',
    'too-many': 'Too many attempts. Wait a few minutes.',
  } as Record<string, string>,
  faultOther: (title: string) => `The log-in did not work (${title}).`,
  password: 'Password', changePassword: 'Change password', changed: 'Password changed. Your other sessions have ended.', expires: (date: string) => `It has to be changed by ${date}.`, old: 'Present password',
  longer: (n: number) => `More than ${n} characters; a few words in a row are fine.`, fresh: 'New password', again: 'New password, again',
  goOn: 'Go on', ownPassword: 'Type your password first: it must be you who adds a second factor.',
  factor: 'Second factor', factorOff: 'Off: your password alone lets you in.', factorOn: 'On: a code of your device is asked at each log-in.', factorNone: 'You log in by another provider: it asks for second factors itself.',
  add: 'Add a second factor', remove: 'Remove', removeLead: 'Your password alone will let you in. Type it to go on.', removed: 'Second factor removed.',
  must: 'Add a second factor', mustLead: 'Your administrator asks everybody for a second factor. Add one to go on.',
  scan: 'Scan this with an authenticator app on your phone, then type the code that it shows.', qr: 'QR code of the key', orType: 'Or type this key into the app:', turnOn: 'Turn on',
  recovery: 'Recovery codes', recoveryLead: 'Each lets you in once if your device is lost. Keep them where only you find them: they are not shown again.', save: 'Save as a file', copy: 'Copy', copied: 'Copied.', kept: 'I have kept them', fileName: 'sayso-recovery-codes.txt',
  sessions: 'Sessions', sessionsLead: 'Where you are logged in.', since: 'Since', used: 'Last used', by: 'By', here: 'This one', end: 'End', endOf: (since: string) => `End the session since ${since}`, ended: 'Session ended.',
  ways: { password: 'Password', token: 'Token' } as Record<string, string>,
}

export type Words = typeof en
