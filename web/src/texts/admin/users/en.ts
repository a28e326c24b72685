export const en = {
  id: 'User name',
  title: 'Users', lead: 'Who may log in, as what, and for which queues.', add: 'New user', empty: 'No users yet.',
  rightsPart: 'Rights', person: 'Person', grants: 'Rights beside the role', grantsLead: 'For this user alone. The last two are in no role.', more: 'All other rights',
  notOwn: 'Nobody changes rights of one’s own.', needsRoles: 'Rights are granted by who may manage roles.', noAgent: 'No agent', allQueues: 'Empty: all queues.', passwordHint: 'A first password: the user chooses another at the first log-in.',
  names: {
    'display-name': 'Name', 'role': 'Role', 'password': 'Password', 'must-change': 'Has to choose a password at the next log-in', 'agent': 'Takes calls as', 'language': 'Language',
    'grants': 'Rights beside the role', 'only-queues': 'Only these queues',
  },
  asBrowser: 'As the browser',
  state: 'State', locked: (moment: string) => `Locked until ${moment}`, open: 'Not locked', failures: 'Failed log-ins', sessions: 'Sessions', secondFactor: 'Second factor', lastLogIn: 'Last log-in', never: 'never', on: 'on', off: 'off',
  unlock: 'Unlock', unlocked: 'Unlocked.', endSessions: 'End all sessions', endLead: (name: string) => `${name} has to log in again everywhere.`, ended: 'All sessions have ended.',
  dropFactor: 'Remove second factor', dropLead: (name: string) => `${name} logs in with the password alone until a new one is added. Do this only if the device is lost and you know who asks.`, dropped: 'Second factor removed.',
}

export type Words = typeof en
