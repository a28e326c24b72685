import type { Words } from './en'

export const de: Words = {
  administration: 'Verwaltung', label: 'Verwaltung', menu: 'Menü', noPage: 'Diese Seite gibt es nicht, oder Ihnen fehlt das Recht dazu.',
  groups: {
    live: 'Jetzt', records: 'Anrufe & Aufnahmen', policy: 'Regeln', people: 'Personenbezogene Daten', logs: 'Protokolle', system: 'System', own: 'Mein Konto',
  },
  overview: 'Übersicht', wallboard: 'Wallboard',
  calls: 'Anrufe', recordings: 'Aufnahmen', consents: 'Einwilligungen', reports: 'Berichte',
  queues: 'Warteschlangen', prompts: 'Ansagen', retention: 'Aufbewahrung', numbers: 'Rufnummern', trunks: 'Trunks', agents: 'Agenten & Fähigkeiten', holds: 'Löschsperren',
  privacy: 'Anfragen', directory: 'Verzeichnis', tasks: 'Aufträge',
  audit: 'Prüfprotokoll', listening: 'Abhörprotokoll',
  users: 'Benutzer', roles: 'Rollen', providers: 'Anmeldung', tokens: 'Token', webhooks: 'Webhooks', system: 'Systemeinstellungen', jobs: 'Aufgaben', health: 'Zustand',
  account: 'Anmeldung & Sicherheit',
}
