import type { Words } from './en'

export const de: Words = {
  title: 'Ansagen', lead: 'Was Anrufer hören, für alle Warteschlangen oder für eine. Mitgelieferte lassen sich ersetzen; frühere Fassungen bleiben.', empty: 'Keine Ansagen.', add: 'Neue Ansage',
  forAll: 'Alle Warteschlangen', queue: 'Warteschlange', language: 'Sprache', noLanguage: 'keine (Musik)', name: 'Ansage', source: 'Herkunft', length: 'Länge', loudness: 'Lautheit', text: 'Was sie sagt', usedBy: 'Benutzt von', version: 'Fassung',
  sources: { shipped: 'Mitgeliefert', folder: 'Ordner des Servers', imported: 'Eigene', missing: 'Fehlt' },
  replace: 'Ersetzen', file: 'Aus einer Datei', fileHint: 'WAV, MP3, M4A, FLAC, OGG, AIFF…', microphone: 'Mit dem Mikrofon', record: 'Aufnehmen', stop: 'Anhalten', recording: (clock) => `Aufnahme: ${clock}`, noMicrophone: 'Das Mikrofon ist nicht benutzbar: Erlauben Sie es im Browser, oder schließen Sie eines an.',
  checking: 'Der Server hört hinein…', check: 'Wie sie klingen wird', put: 'In Kraft setzen', discard: 'Verwerfen', inForce: 'Sie gilt jetzt.', chosen: (name) => `Gewählt: ${name}`, seconds: (n) => `${n} s`, peak: 'Spitze', clipped: 'Übersteuert: Die lautesten Stellen sind abgeschnitten', silence: 'Stille davor und danach', converted: 'Umgewandelt',
  hearNew: 'Anhören', hear: 'Anhören, wie sie ist', versions: 'Fassungen', noVersions: 'Keine früheren Fassungen.', at: 'Seit', by: 'Von', restore: 'Wiederherstellen', restoreOf: (at) => `Die Fassung von ${at} wiederherstellen`, restored: 'Wiederhergestellt.', current: 'Gilt', play: 'Abspielen',
  remove: 'Eigene entfernen', removeLead: 'Anrufer hören wieder die mitgelieferte, oder die für alle Warteschlangen.', removed: 'Entfernt.', saveText: 'Text speichern', textSaved: 'Text gespeichert.', textHint: 'Die Prüfung liest ihn: ob die Frage Tasten, Zweck und Dauer der Aufbewahrung nennt.', textLead: 'Schreiben Sie auf, was gesprochen wird.',
  missingLead: 'Stattdessen läuft die englische: Nehmen Sie eine in dieser Sprache auf, oder laden Sie sie hoch.', newLead: 'Eine Ansage nur für eine Warteschlange, oder für eine Sprache, die noch keine hat.', open: 'Weiter', prompts: 'Alle Ansagen',
  names: {
    'welcome': 'Begrüßung', 'consent-question': 'Einwilligungsfrage', 'thanks': 'Dank für das Ja', 'refused': 'Nach einem Nein', 'invalid-key': 'Falsche Taste', 'please-wait': 'Bitte warten', 'position-many': 'Viele vor Ihnen', 'closed': 'Geschlossen', 'music': 'Musik',
  },
  position: (n) => `Platz ${n} in der Warteschlange`,
}
