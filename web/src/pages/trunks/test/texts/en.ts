export const en = {
  step: 'Test',
  testLead: 'The trunk is stored. Its server is now asked whether it is there (SIP OPTIONS).',
  test: 'Send OPTIONS',
  testNow: 'Test the connection',
  ok: (ms: number | null) => `It answers${ms === null ? '' : ` in ${ms} ms`}.`,
  bad: 'It does not answer as it should.',
  noServer: 'It has no server to ask: it only brings calls.',
  status: 'Status',
}

export type Words = typeof en
