import type { Words } from './en'

export const de: Words = {
  title: 'Anmeldung', lead: 'Wer noch sagen darf, wer jemand ist: Anbieter mit OpenID Connect, auf der Anmeldeseite angeboten.', add: 'Neuer Anbieter', empty: 'Keine: Angemeldet wird mit Namen und Passwort dieses Systems.',
  names: {
    'display-name': 'Name auf der Anmeldeseite', 'issuer': 'Aussteller (issuer)', 'client-id': 'Client-ID', 'client-secret': 'Client-Geheimnis', 'scopes': 'Scopes neben „openid“', 'user-claim': 'Angabe mit dem Benutzernamen',
    'role-claim': 'Angabe mit den Gruppen', 'roles': 'Gruppen und Rollen', 'make-users': 'Unbekannte Benutzer bei der ersten Anmeldung anlegen',
  },
  hints: {
    issuer: 'https://login.example.com: darunter liegt /.well-known/openid-configuration.', secret: 'Leer bei einem öffentlichen Client (nur PKCE).', roles: 'Die erste passende zählt. Wer zu keiner passt, kommt nur hinein, wenn es den Benutzer hier gibt.',
    callback: (url) => `Nennen Sie dem Anbieter diese Rücksprungadresse: ${url}`,
  },
  group: 'Gruppe', role: 'Rolle', addPair: 'Gruppe hinzufügen', removePair: (group) => `${group} entfernen`, pairN: (n) => `Gruppe ${n}`,
}
