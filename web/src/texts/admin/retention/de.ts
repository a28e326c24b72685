import type { Words } from './en'

export const de: Words = {
  title: 'Aufbewahrung', lead: 'Wie lange etwas aufbewahrt wird. Von zwei Fristen entfernt die frühere die Aufnahme; ist die Frist eines Anrufs um, wird er anonymisiert, und die Zahlen bleiben.',
  status: 'Wie es steht', lag: 'Im Rückstand um', noLag: 'pünktlich', lastRun: 'Letzter Lauf', never: 'nie', due: 'Jetzt fällig', removedToday: 'Heute entfernt', held: 'Durch Sperren gehalten',
  tabs: { rules: 'Regeln', change: 'Ändern und simulieren', holds: 'Löschsperren' },
  rules: 'Geltende Regeln', whose: 'Wessen', system: 'Alle Warteschlangen', calls: 'Anrufdaten', recordings: 'Aufnahmen', reporting: 'Berichtsdaten', sentence: 'Was das bedeutet', own: 'eigene Regel', inherited: 'wie das System',
  reportingLead: (span) => `Anonymisierte Daten für Berichte: ${span}.`,
  timeline: 'Was in den nächsten Tagen geht', timelineRecordings: 'Aufnahmen', timelineCalls: 'Anonymisierte Anrufe', noTimeline: 'In den nächsten Tagen geht nichts.',
  change: 'Regeln ändern', changeLead: 'Nichts wird gespeichert, bevor Sie speichern. Simulieren Sie zuerst: Sie sehen, was ginge.', forever: 'Für immer',
  addQueue: 'Ausnahme für eine Warteschlange', simulate: 'Simulieren', simulating: 'Simulation läuft…', noChange: 'Noch ist nichts geändert.', save: 'Regeln speichern…', discard: 'Verwerfen', stale: 'Die Regeln haben sich seit dieser Simulation geändert: Simulieren Sie neu, bevor Sie speichern.',
  simulation: 'Was geschähe', now: 'Wie die Regeln sind', proposed: 'Wie Sie sie wollen', difference: 'Unterschied', took: (seconds) => `Simuliert in ${seconds}.`,
  impact: { recordings: 'Sofort entfernte Aufnahmen', bytes: 'Freier Platz', calls: 'Anonymisierte Anrufe', rows: 'Entfernte Zeilen von Berichtsdaten', held: 'Durch Sperren gehalten' },
  from: 'Woher', byQueue: 'Nach Warteschlange', examples: 'Beispiele für das, was früher ginge', noExamples: 'Nichts ginge früher.', at: 'Aufgenommen', goesAt: 'Ginge', after: 'Zeitverlauf, wenn dies gälte',
  saveTitle: 'Diese Regeln in Kraft setzen', saveSooner: (recordings, calls) => `Mit dem nächsten Lauf werden ${recordings} Aufnahmen entfernt und ${calls} Anrufe anonymisiert, die heute aufbewahrt würden. Nichts bringt sie zurück.`,
  saveLater: 'Nichts geht früher, als es ohnehin ginge.', saveConfirm: 'In Kraft setzen', saved: 'Die Regeln gelten.', changedMeanwhile: 'Inzwischen hat jemand anders eine Regel geändert: Sie wurde neu gelesen. Sehen Sie Ihre Änderungen an und simulieren Sie noch einmal.',
  partly: (done) => `Nicht alles ließ sich speichern. Gespeichert: ${done}.`,
  queue: 'Warteschlange', recording: 'Aufnahme',
}
