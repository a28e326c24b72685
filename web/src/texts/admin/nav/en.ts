// Names of pages and of their groups.
export const en = {
  administration: 'Administration', label: 'Administration', menu: 'Menu', noPage: 'There is no such page, or you lack the right to see it.',
  groups: {
    live: 'Now', records: 'Calls & recordings', policy: 'Policy', people: 'People’s data', logs: 'Logs', system: 'System', own: 'My account',
  },
  overview: 'Overview', wallboard: 'Wallboard',
  calls: 'Calls', recordings: 'Recordings', consents: 'Consents', reports: 'Reports',
  queues: 'Queues', prompts: 'Prompts', retention: 'Retention', numbers: 'Numbers', trunks: 'Trunks', agents: 'Agents & skills', holds: 'Legal holds',
  privacy: 'Requests', directory: 'Directory', tasks: 'Tasks',
  audit: 'Audit log', listening: 'Listening log',
  users: 'Users', roles: 'Roles', providers: 'Sign-on', tokens: 'Tokens', webhooks: 'Webhooks', system: 'System settings', jobs: 'Jobs', health: 'Health',
  account: 'Sign-in & security',
}

export type Words = typeof en
