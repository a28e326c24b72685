import type { Words } from './en'

export const de: Words = {
  title: 'Zustand', lead: 'Ist alles in Ordnung, und wenn nicht, was zu tun ist.', well: 'Alles ist in Ordnung.', alarms: 'Alarme', since: 'Seit', what: 'Was',
  kinds: {
    'upload-backlog': 'Uploads stauen sich', 'disk-reserve': 'Platte fast voll', 'store-away': 'Speicher nicht erreichbar', 'object-conflict': 'Am Platz einer Aufnahme liegt etwas anderes',
    'destruction-waits': 'Vernichtung wartet', 'recording-failed': 'Aufnahme schlägt fehl', 'recording-damaged': 'Eine Aufnahme ist beschädigt', 'recording-lost': 'Eine Aufnahme ist verloren',
    'keys-away': 'Schlüssel nicht erreichbar', 'job-fails': 'Eine Aufgabe schlägt immer wieder fehl', 'reconciliation': 'Datenbank und Speicher weichen ab', 'retention-lag': 'Aufbewahrung im Rückstand',
    'audit-anchor': 'Verankern schlägt fehl', 'webhook': 'Ein Webhook hat aufgegeben',
  },
  hints: {
    'upload-backlog': 'Prüfen Sie, ob der Speicher erreichbar und schnell genug ist; Anrufe gehen weiter.', 'disk-reserve': 'Schaffen Sie Platz auf der Platte des Zwischenspeichers: Ohne ihn endet die Aufnahme.',
    'store-away': 'Prüfen Sie Adresse, Zugangsdaten und Netz des Speichers. Aufnahmen warten im Zwischenspeicher.', 'object-conflict': 'Jemand anders schreibt in den Bucket. Sehen Sie das Objekt an, bevor Sie es entfernen.',
    'destruction-waits': 'Kopien warten auf ihr Entfernen; der Schlüssel ist schon weg. Siehe den Fehler der Aufgabe unten.', 'recording-failed': 'Siehe Platte und Log des Knotens.',
    'recording-damaged': 'Vergleichen Sie mit einer Sicherung des Speichers; entfernen Sie nichts.', 'recording-lost': 'Nichts bringt sie zurück; halten Sie den Grund fest.', 'keys-away': 'Prüfen Sie den Schlüsseldienst; ohne ihn lässt sich nichts hören oder speichern.',
    'job-fails': 'Siehe den Fehler unten, beheben Sie die Ursache, versuchen Sie es dann erneut.', 'reconciliation': 'Öffnen Sie den letzten Abgleich unten.', 'retention-lag': 'Es wird länger aufbewahrt als versprochen. Siehe die Aufgaben unten.',
    'audit-anchor': 'Siehe die Anker im Prüfprotokoll: Ihr Ziel ist nicht erreichbar.', 'webhook': 'Siehe die Zustellungen des Webhooks; bringen Sie den Empfänger in Ordnung, versuchen Sie es dann erneut.',
  },
  nodes: 'Knoten', node: 'Knoten', version: 'Version', up: 'Läuft seit', seen: 'Gesehen', calls: 'Anrufe', state: 'Zustand', draining: 'Läuft aus', working: 'Arbeitet', gone: 'Nicht gesehen', here: 'dieser', noNodes: 'Keine Knoten.',
  jobs: 'Aufgaben', jobsLead: 'Was zu tun bleibt, das Älteste zuerst.', noJobs: 'Nichts wartet.', kind: 'Art', waiting: 'Wartend', running: 'Laufend', failing: 'Fehlschlagend', oldest: 'Älteste', subject: 'Über', attempts: 'Versuche', due: 'Fällig', progress: 'Fortschritt', error: 'Letzter Fehler', retry: 'Jetzt versuchen', retryOf: (kind, subject) => `${kind} ${subject} erneut versuchen`, retried: 'Sie ist jetzt fällig.',
  jobKinds: { rescue: 'Nach Absturz retten', encode: 'Kodieren', upload: 'Upload', destroy: 'Vernichten', reconcile: 'Abgleichen', retention: 'Aufbewahrung', privacy: 'Personenbezogene Daten', webhook: 'Webhook', anchor: 'Anker' },
  running_: (who) => `läuft auf ${who}`, progressOf: (kind) => `Fortschritt: ${kind}`,
  reconciliations: 'Abgleiche von Datenbank und Speicher', reconciliationsLead: 'Jeder findet, was im einen ist und nicht im anderen.', noReconciliations: 'Noch keine.', begin: 'Jetzt abgleichen', begun: 'Er beginnt.', began: 'Begonnen', ended: 'Beendet', by: 'Von', findings: 'Befunde', openOf: (when) => `Abgleich vom ${when} öffnen`,
  recStates: { running: 'Läuft', ended: 'Beendet', failed: 'Aufgegeben' }, detail: (when) => `Abgleich vom ${when}`, noFindings: 'Keine Befunde: Beide stimmen überein.', resolved: 'Erledigt', orphan: 'Entfernen…', orphanTitle: 'Dieses Objekt aus dem Speicher entfernen', orphanLead: 'Es gehört zu keiner bekannten Aufnahme. Entfernt ist es endgültig weg.', orphanConfirm: 'Endgültig entfernen', orphanOf: (name) => `${name} entfernen`, removed: 'Entfernt.', counts: 'Zahlen',
  findingKinds: {
    'orphan': 'Objekt ohne Aufnahme', 'lost': 'Aufnahme ohne Objekt', 'wrong-size': 'Falsche Größe', 'wrong-content': 'Falscher Inhalt', 'unfinished-upload': 'Unfertiger Upload', 'late-job': 'Verspätete Aufgabe', 'no-job': 'Fehlende Aufgabe',
    'spool-lost': 'Zwischendatei fehlt', 'spool-orphan': 'Zwischendatei ohne Aufnahme', 'spool-left': 'Zwischendatei übrig', 'stuck': 'Steckt fest', 'segments-left': 'Teile übrig', 'not-gone': 'Vernichtet, aber noch da', 'unknown-kek': 'Unbekannter Schlüssel', 'call-failed': 'Anruf nicht zu beurteilen',
  },
  countNames: {
    'calls': 'Beurteilte Anrufe', 'recorded': 'Aufgenommen', 'not-recorded': 'Zu Recht nicht aufgenommen', 'failed': 'Fehlgeschlagen', 'open': 'Laufen noch', 'recordings': 'Aufnahmen', 'objects': 'Objekte', 'bytes': 'Größe', 'verified': 'Gelesen und gehasht',
    'traced': 'Vernichtet und gesucht', 'elsewhere': 'In Zwischenspeichern anderer Knoten', 'healed': 'Behoben', 'losses': 'Tonverluste', 'failed-lately': 'Kürzlich fehlgeschlagen',
  },
  faults: { 'not-now': 'Es gehört inzwischen zu einer Aufnahme.', 'locked': 'Der Speicher hält es gesperrt.', 'store-away': 'Der Speicher ist nicht erreichbar.', 'no-orphan': 'Es ist nicht mehr da.' },
  none: '–', now: 'jetzt',
}
