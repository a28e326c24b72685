import type { Words } from './en'

export const de: Words = {
  title: 'Trunks', lead: 'Netzbetreiber, von denen Anrufe kommen und zu denen sie gehen.', add: 'Neuer Trunk', empty: 'Noch keine Trunks. Der Assistent führt durch das Anlegen.',
  steps: { identity: 'Wer es ist', outbound: 'Anrufe hinaus', media: 'Ton', numbers: 'Rufnummern' },
  identityLead: 'Ein Trunk ist an den Netzen zu erkennen, aus denen er anruft, an einer Anmeldung oder an beidem. Wer nur angerufen wird, braucht keines.', outboundLead: 'Wohin Anrufe zu Nummern draußen gehen. Lassen Sie es aus, wenn der Trunk nur Anrufe bringt.',
  mediaLead: 'Was diesem Trunk angeboten wird.', numbersLead: 'Welche Nummern dieses Trunks zu welcher Warteschlange führen.', name: 'Name des Trunks', nameHint: 'Zum Beispiel der Betreiber: carrier-de',
  outboundOn: 'Anrufe gehen über diesen Trunk hinaus',
  store: 'Speichern und weiter', finish: 'Fertig', addNumber: 'Rufnummer hinzufügen', number: 'Rufnummer', queue: 'Warteschlange', stored: 'Gespeichert.', existing: 'Bisherige Rufnummern', noNumbers: 'Noch keine Rufnummern.', step: (n, of) => `Schritt ${n} von ${of}`,
  srtp: { off: 'Nicht verschlüsselt', optional: 'Verschlüsselt, wo es geht', required: 'Immer verschlüsselt' }, inbound: 'Herein', outboundShort: 'Hinaus', both: 'Herein und hinaus', direction: 'Richtung', identified: 'Erkannt an', login: (user) => `Anmeldung ${user}`,
  names: {
    'networks': 'Netze, aus denen er anruft', 'digest': 'Anmeldung', 'digest.user': 'Benutzer seiner Anmeldung hier', 'digest.password': 'Passwort seiner Anmeldung hier', 'max-calls': 'Höchstens Anrufe zugleich', 'calls-per-second': 'Höchstens neue Anrufe je Sekunde', 'region': 'Land der Nummern ohne +',
    'codecs': 'Codecs', 'srtp': 'Verschlüsselung des Tons', 'in-band-digits': 'Auf Töne im Ton hören (keine Telephone Events)', 'release-path': 'Nach einer Weitergabe nach draußen den Weg verlassen (REFER)', 'outbound': 'Anrufe hinaus', 'outbound.server': 'Server', 'outbound.user': 'Unser Benutzer dort',
    'outbound.password': 'Unser Passwort dort', 'outbound.register': 'Dort anmelden', 'outbound.caller-id': 'Gezeigte Nummer', 'outbound.prefixes': 'Nummern, die beginnen mit', 'server': 'Server', 'user': 'Benutzer', 'password': 'Passwort', 'caller-id': 'Gezeigte Nummer', 'prefixes': 'Nummern, die beginnen mit', 'register': 'Dort anmelden',
  },
  hints: {
    networks: '192.0.2.0/24, 2001:db8::/32 oder einzelne Adressen; nach jedem die Eingabetaste.', server: 'sip:carrier.example, sip:192.0.2.1:5070;transport=tcp, sips:carrier.example', region: 'Zwei Buchstaben: DE', prefixes: 'Üblich: +, also alle.', callerId: '+498912345678', codecs: 'Der beste zuerst: g722, pcma, pcmu, opus.',
    userNeeded: 'Zum Anmelden braucht es unseren Benutzer dort.',
  },
}
