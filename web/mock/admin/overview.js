import { at, json } from '../lib.js'

export function answer({ method, path, user }) {
  if (!user || method !== 'GET') return null
  if (path === '/overview') {
    return json({
      alarms: [{ kind: 'retention-lag', what: 'Removal is behind: 312 recordings wait since yesterday.', since: at(-7200) }],
      callsNow: 17, today: { offered: 460, answered: 420, recorded: 288, consentGiven: 301, consentAsked: 377 },
      recordings: { stored: 48_211, countedAt: at(-40), waiting: 3, failed: 1 }, retention: { due: 312, lagSeconds: 7300 }, tasks: 2,
      audit: { rows: 1_204_331, anchoredAt: at(-1800) },
      findings: [
        { queue: 'support', level: 'warn', what: 'The consent question does not say how long recordings are kept.' },
        { queue: 'billing', level: 'stop', what: 'A refusal ends the call: callers cannot go on without being recorded.' },
      ],
    })
  }
  return null
}
