import type { Words } from './en'

export const de: Words = {
  ladder: 'SIP-Nachrichten',
  ladderLead: 'Die Signalisierung dieses Anrufs, wie sie durch den Server ging. Inhalte und Rufnummern sind geschwärzt.',
  noLadder: 'Von diesem Anruf sind keine SIP-Nachrichten aufbewahrt.',
  cut: 'Von einem so langen Anruf sind Anfang und Ende aufbewahrt.',
  ladderTitle: (n, lines) => `SIP-Nachrichten des Anrufs: ${n}, zwischen ${lines}`,
  rung: (at, from, to, what) => `${at}: ${from} an ${to}: ${what}`,
  rest: (span) => `${span} später`,
  showText: 'Als Tabelle',
  showDrawing: 'Als Diagramm',
  from: 'Von',
  to: 'An',
  message: 'Nachricht',
  time: 'Zeit',
  leg: 'Zweig',
  lineNames: { sayso: 'Sayso', outside: 'Außen', supervisor: 'Mithörende Aufsicht' },
}
