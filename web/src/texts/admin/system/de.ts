import type { Words } from './en'

export const de: Words = {
  title: 'Systemeinstellungen', lead: 'Was für alle gilt, wenn keine Warteschlange etwas anderes sagt.',
  needsRecording: 'Wie lange etwas aufbewahrt wird, stellt ein, wer Aufnahmen einstellen darf.',
  retention: 'Aufbewahrung', retentionLead: 'Änderungen wirken auf das, was schon gespeichert ist. Simulieren Sie sie zuerst auf der Seite Aufbewahrung.', passwords: 'Passwörter & Anmeldung', sessions: 'Sitzungen', audit: 'Prüfprotokoll', privacy: 'Personenbezogene Daten', webhooks: 'Webhooks', place: 'Zeit',
  names: {
    'time-zone': 'Zeitzone', 'retention-calls': 'Anrufdaten werden aufbewahrt', 'retention-recordings': 'Aufnahmen werden aufbewahrt', 'retention-reporting': 'Berichtsdaten werden aufbewahrt',
    'password-longer-than': 'Passwörter sind länger als (Zeichen)', 'password-history': 'Frühere Passwörter, die nicht wieder gehen', 'password-expires': 'Passwörter laufen ab', 'lock-after': 'Fehlversuche, bis ein Name gesperrt ist', 'lock-for': 'Gesperrt für',
    'session-idle': 'Eine Sitzung endet unbenutzt nach', 'session-absolute': 'Eine Sitzung endet spätestens nach', 'second-factor': 'Zweiter Faktor', 'audit-off': 'Klassen, die geschrieben werden', 'anchor-every': 'Das Ende der Kette wird verankert alle', 'anchor-to': 'Verankert in',
    'second-approver': 'Löschen braucht eine zweite Person', 'keep-reports': 'Berichte und Zip-Dateien werden aufbewahrt', 'webhook-networks': 'Private Netze, die Webhooks erreichen dürfen',
  },
  hints: {
    'time-zone': 'In der Öffnungszeiten und Tage gemeint sind: Europe/Vienna.', 'retention-calls': 'Danach gehen die Aufnahmen, und Anrufe werden anonym.', 'retention-reporting': 'Anonyme Zahlen; danach gehen auch sie.',
    'audit-off': '„rights“ und „modify“ lassen sich nicht abschalten: Sie beweisen Einwilligungen und Zerstörungen.', 'anchor-to': 'Eine Datei (/pfad/anchors.jsonl), „store“ oder „webhook NAME“.', 'second-approver': 'Ein anderer Benutzer mit dem Recht muss zustimmen.',
    'webhook-networks': 'Keine: Webhooks gehen nur an öffentliche Adressen, auch nicht an diesen Rechner. 10.1.0.0/16, 127.0.0.1; nur ein Superuser ändert das.',
  },
  factors: { optional: 'Wer einen will', required: 'Alle, die sich mit Passwort anmelden' },
  classes: {
    presence: 'Agenten kommen, gehen, sind bereit oder nicht', config: 'Einstellungen geändert', rights: 'Rechte und Passwörter geändert', modify: 'Daten entstanden, geändert oder zerstört', read: 'Daten gesehen oder exportiert', failure: 'Etwas wurde abgelehnt oder ging schief',
    system: 'Der Lauf von Anrufen und des Servers',
  },
}
