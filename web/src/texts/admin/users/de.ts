import type { Words } from './en'

export const de: Words = {
  id: 'Benutzername',
  title: 'Benutzer', lead: 'Wer sich anmelden darf, als was und für welche Warteschlangen.', add: 'Neuer Benutzer', empty: 'Noch keine Benutzer.',
  rightsPart: 'Rechte', person: 'Person', grants: 'Rechte neben der Rolle', grantsLead: 'Nur für diesen Benutzer. Die letzten beiden sind in keiner Rolle.', more: 'Alle anderen Rechte',
  notOwn: 'Niemand ändert eigene Rechte.', needsRoles: 'Rechte gewährt, wer Rollen verwalten darf.', noAgent: 'Kein Agent', allQueues: 'Leer: alle Warteschlangen.', passwordHint: 'Ein erstes Passwort: Bei der ersten Anmeldung wählt der Benutzer ein anderes.',
  names: {
    'display-name': 'Name', 'role': 'Rolle', 'password': 'Passwort', 'must-change': 'Muss bei der nächsten Anmeldung ein Passwort wählen', 'agent': 'Nimmt Anrufe an als', 'language': 'Sprache',
    'grants': 'Rechte neben der Rolle', 'only-queues': 'Nur diese Warteschlangen',
  },
  asBrowser: 'Wie der Browser',
  state: 'Zustand', locked: (moment) => `Gesperrt bis ${moment}`, open: 'Nicht gesperrt', failures: 'Gescheiterte Anmeldungen', sessions: 'Sitzungen', secondFactor: 'Zweiter Faktor', lastLogIn: 'Letzte Anmeldung', never: 'nie', on: 'an', off: 'aus',
  unlock: 'Entsperren', unlocked: 'Entsperrt.', endSessions: 'Alle Sitzungen beenden', endLead: (name) => `${name} muss sich überall neu anmelden.`, ended: 'Alle Sitzungen sind beendet.',
  dropFactor: 'Zweiten Faktor entfernen', dropLead: (name) => `${name} meldet sich nur mit dem Passwort an, bis ein neuer hinzugefügt ist. Tun Sie das nur, wenn das Gerät verloren ist und Sie wissen, wer fragt.`, dropped: 'Zweiter Faktor entfernt.',
}
