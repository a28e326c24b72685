import type { Words } from './en'

export const fi: Words = {
  ladder: 'SIP-viestit',
  ladderLead: 'Tämän puhelun merkinanto palvelimen läpi kulkeneena. Sisällöt ja numerot on peitetty.',
  noLadder: 'Tästä puhelusta ei ole säilytetty SIP-viestejä.',
  cut: 'Näin pitkästä puhelusta säilytetään alku ja loppu.',
  ladderTitle: (n, lines) => `Puhelun SIP-viestit: ${n}, osapuolina ${lines}`,
  rung: (at, from, to, what) => `${at}: ${from} → ${to}: ${what}`,
  rest: (span) => `${span} myöhemmin`,
  showText: 'Taulukkona',
  showDrawing: 'Kaaviona',
  from: 'Lähettäjä',
  to: 'Vastaanottaja',
  message: 'Viesti',
  time: 'Aika',
  leg: 'Haara',
  lineNames: { sayso: 'Sayso', outside: 'Ulkopuoli', supervisor: 'Esihenkilö' },
}
