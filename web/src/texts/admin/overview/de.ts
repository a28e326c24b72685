import type { Words } from './en'

export const de: Words = {
  title: 'Übersicht', lead: 'Was vor sich geht, und was jemanden braucht.',
  alarms: 'Alarme', noAlarms: 'Keine Alarme.', since: (moment) => `seit ${moment}`,
  now: 'Jetzt', callsNow: 'Anrufe jetzt', today: 'Heute', offered: 'Angeboten', answered: 'Angenommen', recorded: 'Aufgenommen',
  consent: 'Eingewilligt', consentOf: (given, asked) => `${given} von ${asked} Gefragten`,
  recordings: 'Aufnahmen', storedAt: (at) => `Gespeichert, gezählt ${at}`, counting: 'Werden gezählt', waiting: 'Noch zu speichern', failed: 'Gescheitert',
  retention: 'Aufbewahrung', due: 'Zu entfernen', lag: 'Rückstand', onTime: 'pünktlich',
  people: 'Personenbezogene Daten', tasks: 'Offene Aufträge', audit: 'Prüfprotokoll', rows: 'Zeilen', anchored: 'Zuletzt verankert', never: 'nie',
  findings: 'Was die Prüfung der Warteschlangen findet', noFindings: 'Nichts: Alle Warteschlangen tun, was ihre Texte sagen.', queue: 'Warteschlange', level: 'Stufe', what: 'Was',
  levels: { stop: 'Sollte nicht in Betrieb gehen', warn: 'Bedenkenswert', note: 'Hinweis' },
}
