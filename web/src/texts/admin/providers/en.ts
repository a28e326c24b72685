export const en = {
  title: 'Sign-on', lead: 'Who else may say who somebody is: OpenID Connect providers, offered on the log-in page.', add: 'New provider', empty: 'None: people log in with a name and a password of this system.',
  names: {
    'display-name': 'Name on the log-in page', 'issuer': 'Issuer', 'client-id': 'Client id', 'client-secret': 'Client secret', 'scopes': 'Scopes beside “openid”', 'user-claim': 'Claim with the user name',
    'role-claim': 'Claim with groups', 'roles': 'Groups and roles', 'make-users': 'Make users who are not known yet at their first log-in',
  },
  hints: {
    issuer: 'https://login.example.com: below it is /.well-known/openid-configuration.', secret: 'Empty for a public client (PKCE alone).', roles: 'The first that fits counts. Whoever fits none gets in only if the user exists here.',
    callback: (url: string) => `Give the provider this redirect address: ${url}`,
  },
  group: 'Group', role: 'Role', addPair: 'Add a group', removePair: (group: string) => `Remove ${group}`, pairN: (n: number) => `Group ${n}`,
}

export type Words = typeof en
