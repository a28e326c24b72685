import type { Words } from './en'

export const de: Words = {
  title: 'Token', lead: 'Für Maschinen, die die API benutzen. Ein Token hat höchstens die Rechte dessen, der es anlegt, und endet von selbst.', add: 'Neues Token', empty: 'Noch keine Token.',
  name: 'Name', nameHint: 'Was es benutzt: „export-nachts“.', by: 'Angelegt von', rights: 'Rechte', created: 'Angelegt', expires: 'Endet', used: 'Zuletzt benutzt', state: 'Zustand', never: 'nie', days: 'Gültig für (Tage)', daysHint: 'Höchstens 365.',
  states: { valid: 'Gültig', expired: 'Abgelaufen', revoked: 'Widerrufen' }, revoke: 'Widerrufen', revokeOf: (name) => `${name} widerrufen`, revokeLead: (name) => `„${name}“ wirkt sofort nicht mehr.`, revoked: 'Token widerrufen.',
  password: 'Ihr Passwort', passwordHint: 'Ein Token überdauert Ihre Sitzung: Geben Sie Ihr Passwort noch einmal ein.',
  shown: 'Das neue Token', shownLead: 'Kopieren Sie es jetzt: Es wird nicht noch einmal gezeigt. Es gehört in die Kopfzeile „Authorization: Bearer …“.', copy: 'Kopieren', copied: 'Kopiert.', done: 'Fertig', secret: 'Token', make: 'Token anlegen', noRights: 'Wählen Sie mindestens ein Recht.', noName: 'Geben Sie ihm einen Namen.',
}
