import type { Words } from './en'

export const fi: Words = {
  step: 'Koe',
  testLead: 'Yhteys on tallennettu. Sen palvelimelta kysytään nyt, onko se paikalla (SIP OPTIONS).',
  test: 'Lähetä OPTIONS',
  testNow: 'Kokeile yhteyttä',
  ok: (ms) => `Se vastaa${ms === null ? '' : ` ${ms} ms:ssa`}.`,
  bad: 'Se ei vastaa kuten pitäisi.',
  noServer: 'Sillä ei ole palvelinta: se vain tuo puheluja.',
  status: 'Tila',
}
