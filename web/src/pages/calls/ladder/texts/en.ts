export const en = {
  ladder: 'SIP messages',
  ladderLead: 'Signalling of this call as it crossed the server. Bodies and numbers are redacted.',
  noLadder: 'No SIP messages are kept of this call.',
  cut: 'Of a call this long its beginning and its end are kept.',
  ladderTitle: (n: number, lines: string) => `SIP messages of the call: ${n}, between ${lines}`,
  rung: (at: string, from: string, to: string, what: string) => `${at}: ${from} to ${to}: ${what}`,
  rest: (span: string) => `${span} later`,
  showText: 'As a table',
  showDrawing: 'As a diagram',
  from: 'From',
  to: 'To',
  message: 'Message',
  time: 'Time',
  leg: 'Leg',
  lineNames: { sayso: 'Sayso', outside: 'Outside', supervisor: 'Supervisor' } as Record<string, string>,
}

export type Words = typeof en
