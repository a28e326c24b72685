import type { Words } from './en'

export const de: Words = {
  title: 'Rollen', lead: 'Eine Rolle hat Rechte. Die festen lassen sich nicht ändern: Kopieren Sie eine, und ändern Sie die Kopie.', add: 'Neue Rolle', empty: 'Noch keine eigenen Rollen. Kopieren Sie unten eine feste.',
  fixed: 'Feste Rollen', fixedLead: 'Immer da und überall gleich.', copy: 'Kopieren', copyOf: (role) => `${role} kopieren`, rightsN: (n) => (n === 1 ? '1 Recht' : `${n} Rechte`),
  names: { description: 'Wozu sie da ist', rights: 'Rechte' }, usedBy: 'Benutzer', from: (role) => `Wie ${role}`,
  special: 'Keine Rolle hat diese: Sie werden einzelnen Benutzern gewährt.',
  groups: { work: 'Anrufe annehmen', supervise: 'Beaufsichtigen', recordings: 'Aufnahmen', see: 'Einsehen', configure: 'Einstellen', special: 'Personenbezogene Daten' },
  roles: {
    'superuser': 'Superuser', 'supervisor': 'Supervisor', 'agent': 'Agent', 'reporting': 'Berichte', 'queue-administrator': 'Warteschlangen-Verwaltung',
    'ivr-administrator': 'Ansagen-Verwaltung', 'recording-administrator': 'Aufnahme-Verwaltung', 'advanced-monitoring': 'Erweiterte Überwachung',
  },
  rights: {
    'take-calls': 'Hier ein Telefon haben und Anrufe annehmen', 'override': 'Ohne Einwilligung aufnehmen, wo die Warteschlange es erlaubt', 'wallboard': 'Alle Anrufe, Agenten und Warteschlangen sehen, wie sie sind',
    'listen-live': 'Ein laufendes Gespräch hören', 'whisper': 'In einem Gespräch nur zum Agenten sprechen', 'barge': 'In einem Gespräch zu allen sprechen',
    'view-listening-logs': 'Alle Einträge im Abhörprotokoll sehen', 'listen-recordings': 'Aufnahmen anhören', 'export-recordings': 'Aufnahmen herausnehmen, mit den Nummern der Sprechenden',
    'destroy-recordings': 'Eine Aufnahme vor ihrer Zeit zerstören', 'manage-vault': 'Aufgaben sehen und beeilen, Datenbank und Speicher vergleichen, Verwaistes entfernen',
    'view-calls': 'Frühere Anrufe, ihre Notizen und Daten sehen', 'view-reports': 'Zahlen sehen: Anrufe und Einwilligungen nach Warteschlange und Tag', 'view-consents': 'Einwilligungen mit Nummern sehen',
    'view-audit-log': 'Das Prüfprotokoll sehen, exportieren und prüfen', 'configure-queues': 'Warteschlangen einstellen: Verteilung, Öffnungszeiten, Überlauf, Zeiten', 'configure-recording': 'Einstellen, was auf welcher Grundlage und wie lange aufgenommen wird; Aufbewahrung simulieren',
    'configure-prompts': 'Ansagen hochladen und festlegen, was sie sagen', 'configure-trunks': 'Trunks und Rufnummern einstellen', 'configure-agents': 'Agenten und ihre Fähigkeiten einstellen', 'manage-users': 'Benutzer einstellen (deren Rechte gewährt nur, wer Rollen verwaltet)',
    'manage-roles': 'Rollen anlegen, Rechte gewähren, Anmeldung einstellen', 'configure-system': 'Webhooks, Token, Passwortregeln und das Prüfprotokoll einstellen', 'manage-holds': 'Aufnahmen und Anrufe vor dem Entfernen zurückhalten',
    'monitor': 'Den Zustand sehen: Knoten, Alarme, Aufgaben, SIP-Nachrichten eines Anrufs', 'dpo': 'Finden, berichten, löschen, sperren, was über eine Person bekannt ist', 'customer-consent': 'Einwilligungen exportieren, zurücksetzen und widerrufen',
  },
}
