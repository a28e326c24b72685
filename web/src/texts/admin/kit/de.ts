import type { Words } from './en'

export const de: Words = {
  table: {
    filters: 'Filter', clear: 'Filter löschen', csv: 'CSV exportieren', more: 'Mehr zeigen', none: 'Nichts gefunden.', any: 'Alle',
    search: 'Suchen', shown: (n, more) => `${n}${more ? '+' : ''} ${n === 1 ? 'Zeile' : 'Zeilen'}`,
    refresh: 'Neu laden', open: (name) => `${name} öffnen`, actions: 'Aktionen',
    newest: 'das Neueste zuerst', oldest: 'das Älteste zuerst', from: 'Von', to: 'Bis',
  },
  confirm: { reason: 'Grund', missing: 'Schreiben Sie einen Grund.', cancel: 'Abbrechen', yes: 'Ja', no: 'Nein' },
  work: { done: (done, total) => `${done} von ${total}`, running: 'Läuft…' },
  form: {
    save: 'Speichern', saved: 'Gespeichert.', revert: 'Änderungen verwerfen', remove: 'Entfernen', removed: 'Entfernt.', add: 'Hinzufügen', create: 'Anlegen', cancel: 'Abbrechen', close: 'Schließen',
    name: 'Name', nameHint: 'Buchstaben, Ziffern, . - und _; später nicht änderbar.', nameBad: 'Nur 1 bis 64 Buchstaben (a–z), Ziffern, . - und _.',
    unsaved: 'Es gibt Änderungen, die nicht gespeichert sind.', readOnly: 'Sie dürfen das ansehen, aber nicht ändern.', copy: 'Kopieren', copied: 'Kopiert.',
    wrong: 'So kann das nicht gespeichert werden:', usual: (value) => `Üblich: ${value}`, systemDefault: (value) => `Wie das System: ${value}`,
    systemUnknown: 'Wie das System',
    forever: 'Für immer', for: 'Für', never: 'Nie', amount: 'Menge', unit: 'Einheit', optional: 'freiwillig', secretKept: 'Leer lassen, um das Gespeicherte zu behalten.',
    new: 'Neu', change: 'Ändern', test: 'Testen', details: 'Einzelheiten',
    listHint: 'Nach jedem Eintrag die Eingabetaste drücken.', back: 'Zurück', next: 'Weiter', removeLead: (name) => `„${name}“ wird entfernt. Das lässt sich nicht rückgängig machen.`, removeKept: 'Trotzdem entfernen: Aufnahmen und Anrufe, die sie aufbewahrt, verschwinden früher.', exists: 'Diesen Namen gibt es schon.',
    yes: 'Ja', no: 'Nein', on: 'An', off: 'Aus', none: '–', all: 'Alle', loading: 'Wird geladen…', retry: 'Erneut versuchen',
  },
  units: {
    d: (n) => (n === 1 ? 'Tag' : 'Tage'), h: (n) => (n === 1 ? 'Stunde' : 'Stunden'), m: (n) => (n === 1 ? 'Minute' : 'Minuten'),
    s: (n) => (n === 1 ? 'Sekunde' : 'Sekunden'), ms: () => 'ms',
  },
  conflict: {
    title: 'Jemand anderes war schneller',
    lead: 'Das wurde geändert, während Sie daran gearbeitet haben. Wählen Sie bei jedem Unterschied, was gelten soll, und speichern Sie.',
    choose: 'Wahl', field: 'Einstellung', before: 'Vorher', mine: 'Ihres', theirs: 'Jetzt gespeichert', save: 'Ausgewähltes speichern', takeTheirs: 'Meines verwerfen',
    none: 'Beide sagen jetzt dasselbe. Speichern Sie noch einmal, oder verwerfen Sie Ihres.', unset: 'nicht gesetzt', gone: 'Es wurde inzwischen von jemand anderem entfernt.',
  },
  chart: { asTable: 'Als Tabelle', total: 'Summe', noData: 'Noch keine Zahlen.' },
  fault: { changed: 'Jemand anderes hat es geändert. Laden Sie neu und versuchen Sie es noch einmal.', refused: 'Anderes bezieht sich darauf.', gone: 'Das gibt es nicht mehr.', tooMany: 'Zu viele. Warten Sie einen Moment.', own: 'Das braucht eine zweite Person.' },
}
