import type { Words } from './en'

export const de: Words = {
  id: 'Agent',
  title: 'Agenten & Fähigkeiten', lead: 'Wer Anrufe annimmt, aus welchen Warteschlangen, mit welchen Fähigkeiten und an welchem Telefon.', add: 'Neuer Agent', empty: 'Noch keine Agenten.',
  person: 'Person', phone: 'Telefon', skillsTable: 'Fähigkeiten', skillsLead: 'Wie viele Agenten jede Fähigkeit haben, und welche Warteschlangen sie brauchen.', skill: 'Fähigkeit', agents: 'Agenten', neededBy: 'Gebraucht von Warteschlangen', noSkills: 'Noch keine Fähigkeiten.',
  media: { auto: 'Browser oder Tischtelefon, je nach Anmeldung', rtp: 'Tischtelefon (RTP)', webrtc: 'Browser (WebRTC)' }, srtp: { off: 'Nicht verschlüsselt', optional: 'Verschlüsselt, wo es geht', required: 'Immer verschlüsselt' },
  codeHint: '1 bis 4 Tasten wie *3, oder none für keine.', passwordHint: 'Für ein Tischtelefon, das sich selbst anmeldet.', codecsHint: 'Der beste zuerst. Üblich: opus, g722, pcma, pcmu.',
  names: {
    'display-name': 'Name', 'password': 'SIP-Passwort', 'queues': 'Warteschlangen', 'skills': 'Fähigkeiten', 'codecs': 'Codecs', 'srtp': 'Verschlüsselung des Tons (Tischtelefon)', 'media': 'Art des Telefons',
    'three-way-code': 'Tasten für Dreierkonferenz', 'complete-code': 'Tasten zum Übergeben', 'return-code': 'Tasten zurück zum Anrufer',
  },
}
