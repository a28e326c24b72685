import type { Words } from './en'

export const de: Words = {
  step: 'Probe',
  testLead: 'Der Trunk ist gespeichert. Sein Server wird jetzt gefragt, ob er da ist (SIP OPTIONS).',
  test: 'OPTIONS senden',
  testNow: 'Verbindung prüfen',
  ok: (ms) => `Er antwortet${ms === null ? '' : ` in ${ms} ms`}.`,
  bad: 'Er antwortet nicht, wie er soll.',
  noServer: 'Er hat keinen Server zu fragen: Er bringt nur Anrufe.',
  status: 'Status',
}
