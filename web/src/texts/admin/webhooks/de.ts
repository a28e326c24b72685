import type { Words } from './en'

export const de: Words = {
  title: 'Webhooks', lead: 'Andere Systeme erfahren, was hier geschieht: unterschrieben, und wiederholt, bis sie es annehmen. Weder Nummern noch Namen werden gesendet.', add: 'Neuer Webhook', empty: 'Noch keine Webhooks.',
  names: { url: 'Adresse', secret: 'Schlüssel der Unterschrift', events: 'Ereignisse', enabled: 'Eingeschaltet' }, urlHint: 'https://…, oder http:// auf diese Maschine.', make: 'Schlüssel erzeugen', states: { on: 'An', off: 'Aus' },
  older: 'Ältere laden',
  deliveries: 'Zustellungen', deliveriesLead: 'Was gesendet wurde, das Neueste zuerst.', noDeliveries: 'Es wurde noch nichts gesendet.', event: 'Ereignis', at: 'Zeit', attempts: 'Versuche', state: 'Zustand', status: 'Antwort', what: 'Was gesagt wurde', next: 'Nächster Versuch',
  delivery: { waiting: 'Wartet', delivered: 'Zugestellt', failed: 'Aufgegeben' }, retry: 'Erneut senden', retryOf: (event, at) => `Erneut senden: ${event}, ${at}`, retried: 'Es wird erneut gesendet.',
  test: 'Probe senden', testOk: (status) => `Es wurde angenommen (${status ?? ''}).`, testBad: (what) => `Es wurde nicht angenommen: ${what}`, testLead: 'Sendet jetzt das Ereignis „test“, mit den gespeicherten Einstellungen.',
  events: {
    'call.ended': 'Ein Anruf endete', 'consent.given': 'Eingewilligt', 'consent.refused': 'Einwilligung verweigert', 'consent.withdrawn': 'Einwilligung widerrufen', 'recording.stored': 'Aufnahme gespeichert', 'recording.failed': 'Aufnahme gescheitert',
    'recording.removed': 'Aufnahme entfernt', 'recording.overridden': 'Ohne Einwilligung aufgenommen', 'audit.alarm': 'Alarm', 'audit.anchor': 'Prüfprotokoll verankert',
  },
}
