import type { Words } from './en'

export const de: Words = {
  title: 'Warteschlangen', lead: 'Wo Anrufer warten, was sie gefragt werden, was aufgenommen und wie lange es aufbewahrt wird.', add: 'Neue Warteschlange', empty: 'Noch keine Warteschlangen.',
  policy: 'Aufnahme', distribution: 'Verteilung', hours: 'Öffnungszeiten',
  happens: 'Was geschehen wird', findings: 'Befunde', noFindings: 'Nichts zu beanstanden.', asking: 'Wird geprüft…',
  levels: { stop: 'Halt', warn: 'Warnung', note: 'Hinweis' },
  onlyRecording: 'Die Regeln der Aufnahme brauchen das Recht, Aufnahmen einzustellen.', onlyQueues: 'Dieser Teil braucht das Recht, Warteschlangen einzustellen.',
  recordings: { consent: 'Nach Rückfrage', always: 'Immer', never: 'Nie' },
  recordingHints: {
    consent: 'Anrufer werden gefragt. Nur bei Ja wird aufgenommen.', always: 'Ein Gesetz oder ein Vertrag verlangt es. Anrufer erfahren es.', never: 'Es wird nichts aufgenommen oder gefragt.',
  },
  strategies: { 'longest-idle': 'Wer am längsten frei ist', 'round-robin': 'Agenten reihum', 'ring-all': 'Alle Agenten zugleich' },
  asks: { 'every-call': 'Bei jedem Anruf', 'when-unknown': 'Nur wer noch nie geantwortet hat', 'older-than': 'Wenn die Antwort älter ist als' },
  failures: { continue: 'Ohne Aufnahme weiter', 'drop-call': 'Anruf beenden' },
  ends: { hangup: 'Verabschieden und auflegen', closedHangup: 'Die Ansage „geschlossen“ spielen und auflegen', queue: 'Andere Warteschlange' },
  basisKinds: { obligation: 'Gesetzliche Pflicht', contract: 'Vertrag' },
  basisHint: 'Welches Gesetz, welcher Vertrag: zum Beispiel MiFID II Art. 16 Abs. 7',
  keyHint: 'Eine Taste: 0–9, * oder #', always24: 'Immer offen', setHours: 'Zu bestimmten Zeiten',
  days: { mon: 'Montag', tue: 'Dienstag', wed: 'Mittwoch', thu: 'Donnerstag', fri: 'Freitag', sat: 'Samstag', sun: 'Sonntag' },
  short: { mon: 'Mo', tue: 'Di', wed: 'Mi', thu: 'Do', fri: 'Fr', sat: 'Sa', sun: 'So' },
  closedDay: 'Geschlossen', from: 'Von', to: 'Bis', addSlot: (day) => `Zeiten am ${day} hinzufügen`, removeSlot: (day, n) => `Zeiten ${n} am ${day} entfernen`,
  slot: (day, n) => `${day}, Zeiten ${n}`,
  copyDown: 'Montag auf Dienstag – Freitag übertragen', openFor: (hours) => `${hours} Stunden in der Woche offen`, never: 'nie offen',
  slotFaults: { backwards: 'Das Ende liegt vor dem Beginn.', overlap: 'Diese Zeiten überschneiden sich.', bad: 'Das ist keine Uhrzeit.' },
  closedDays: 'An diesen Tagen geschlossen', closedHint: 'Wie 2026-12-25; nach jedem die Eingabetaste.', badDay: (day) => `${day} ist kein Tag wie 2026-12-25.`, inZone: 'In der Zeitzone des Systems.',
  names: {
    'language': 'Sprache', 'recording': 'Aufnahme', 'legal-basis': 'Rechtsgrundlage', 'consent': 'Einwilligungsfrage', 'yes': 'Taste für Ja', 'no': 'Taste für Nein',
    'attempts': 'Versuche', 'timeout': 'Zeit für eine Antwort', 'barge-in': 'Tasten wirken schon während der Frage', 'ask': 'Wer gefragt wird',
    'override-allowed': 'Agenten dürfen ohne Einwilligung aufnehmen (mit Grund)', 'pause-limit': 'Eine Pause endet von selbst', 'destroy-on-withdrawal': 'Ein Widerruf zerstört, was vom Anruf aufgenommen wurde',
    'on-recording-failure': 'Wenn die Aufnahme scheitert', 'retention': 'Anrufdaten werden aufbewahrt', 'file-removal': 'Aufnahmen werden aufbewahrt', 'strategy': 'Wer einen Anruf bekommt', 'skills': 'Nötige Fähigkeiten',
    'priority': 'Vorrang', 'ring-timeout': 'Klingeln', 'wrap-up': 'Nachbearbeitung', 'max-wait': 'Längste Wartezeit', 'overflow': 'Nach der längsten Wartezeit', 'hours': 'Öffnungszeiten',
    'closed': 'Geschlossene Tage', 'when-closed': 'Außerhalb der Öffnungszeiten', 'position-every': 'Platz wird angesagt', 'service-seconds': 'Servicelevel binnen (Sekunden)',
  },
  hints: {
    'retention': 'Danach gehen die Aufnahmen, und der Anruf wird anonym.', 'file-removal': 'Die frühere der beiden Fristen entfernt die Aufnahme.', 'skills': 'Nur Agenten mit allen diesen bekommen ihre Anrufe.',
    'priority': 'Anrufe einer Warteschlange mit höherer Zahl kommen zuerst dran.', 'override-allowed': 'Für Notfälle und Rechtsfragen; jeder Fall wird protokolliert.',
  },
}
