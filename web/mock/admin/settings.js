// Settings of all kinds, with versions; the preview of a queue; the fixed roles.
import { etagOf, json, noContent, problem } from '../lib.js'

const days = (hours) => Object.fromEntries(['mon', 'tue', 'wed', 'thu', 'fri'].map((day) => [day, hours]))
const kinds = {
  queues: {
    support: { recording: 'consent', consent: { ask: 'every-call', yes: '1', no: '2' }, retention: '180d', 'file-removal': '90d', strategy: 'longest-idle',
      hours: { ...days(['08:00-12:00', '13:00-17:30']), sat: ['09:00-12:00'] }, closed: ['2026-12-25', '2027-01-01'], 'override-allowed': true },
    sales: { recording: 'always', 'legal-basis': { obligation: 'MiFID II Art. 16 (7)' }, retention: '1825d', strategy: 'round-robin', skills: ['trading'] },
    billing: { recording: 'consent', overflow: { queue: 'support' } },
    front: { recording: 'never', strategy: 'ring-all', hours: days(['08:00-20:00']) },
  },
  trunks: {
    'carrier-fi': { networks: ['192.0.2.0/24', '2001:db8::/48'], 'max-calls': 60, codecs: ['pcma', 'g722'], srtp: 'optional', region: 'FI',
      outbound: { server: 'sip:sbc.carrier.example;transport=tcp', user: 'sayso', register: true, 'caller-id': '+358942450000', prefixes: ['+358'] } },
    'carrier-de': { digest: { user: 'sayso-de' }, codecs: ['pcma'], region: 'DE' },
  },
  numbers: { '+358942450001': { queue: 'support' }, '+358942450002': { queue: 'sales', language: 'fi' }, '+498912345678': { queue: 'support', language: 'de' } },
  agents: {
    alice: { 'display-name': 'Alice Virtanen', queues: ['sales', 'support'], skills: ['trading', 'finnish'] },
    bob: { 'display-name': 'Bob Lindqvist', queues: ['support'] }, carla: { 'display-name': 'Carla Mayer', queues: ['sales'], skills: ['german'] },
    dan: { 'display-name': 'Dan Okafor', queues: ['support', 'billing'], media: 'rtp', srtp: 'required' },
    nina: { 'display-name': 'Nina Brandt', queues: ['sales'], skills: ['german', 'trading'] }, sam: { 'display-name': 'Sam Keller', queues: ['support'] },
  },
  roles: { 'team-lead': { description: 'Leads a team: listens and coaches, sees figures', rights: ['take-calls', 'wallboard', 'listen-live', 'whisper', 'view-reports'] } },
  users: {
    admin: { 'display-name': 'Ada Admin', role: 'superuser', grants: ['dpo', 'customer-consent'] },
    alice: { 'display-name': 'Alice Virtanen', role: 'agent', agent: 'alice', language: 'fi' }, sam: { 'display-name': 'Sam Keller', role: 'supervisor', agent: 'sam' },
    nina: { 'display-name': 'Nina Brandt', role: 'agent', agent: 'nina', 'must-change': true }, rita: { 'display-name': 'Rita Records', role: 'recording-administrator' },
    quinn: { 'display-name': 'Quinn Queue', role: 'queue-administrator', 'only-queues': ['sales'] }, tom: { 'display-name': 'Tom Lead', role: 'team-lead', 'only-queues': ['support'] },
  },
  webhooks: {
    crm: { url: 'https://crm.example/hooks/sayso', events: ['call.ended', 'recording.stored'], enabled: true },
    alarms: { url: 'https://alarms.example/in', events: ['audit.alarm', 'recording.failed'], enabled: true },
    old: { url: 'https://old.example/', events: [], enabled: false },
  },
  providers: {
    company: { 'display-name': 'Company account', issuer: 'https://login.company.example', 'client-id': 'sayso', scopes: ['profile', 'groups'], roles: ['call-agents = agent', 'call-admins = superuser'], 'make-users': true },
  },
}
let system = { 'time-zone': 'Europe/Helsinki', 'retention-calls': '365d', 'retention-recordings': '180d', 'retention-reporting': '1825d', 'lock-after': 5, 'lock-for': '30m', 'second-approver': true }
const SECRETS = ['password', 'secret', 'client-secret']
const hidden = (value) => (value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).filter(([key]) => !SECRETS.includes(key)).map(([key, part]) => [key, hidden(part)])) : value)

const said = { consent: 'are asked', always: 'are told that they are recorded', never: 'are not recorded' }
function preview(name, document) {
  const recording = document.recording ?? 'consent'
  const kept = document['file-removal'] ?? system['retention-recordings']
  const findings = []
  if (document['legal-basis']?.obligation === '') findings.push({ level: 'stop', rule: 'basis-missing', where: 'legal-basis', what: 'Recording without asking needs a legal basis, and none is named.' })
  if (recording === 'consent') findings.push({ level: 'warn', rule: 'retention-unsaid', where: 'prompt consent-question', what: 'The consent question does not say how long recordings are kept.' })
  if (document['override-allowed']) findings.push({ level: 'note', rule: 'override', where: 'override-allowed', what: 'Agents may record without consent; every case is audited.' })
  const ask = document.consent?.ask === 'when-unknown' ? ' once' : document.consent?.ask?.startsWith('older') ? ' when their answer is old' : recording === 'consent' ? ' each time' : ''
  return { sentence: `Callers of ${name} ${said[recording]}${ask}${recording === 'never' ? '.' : `; ${recording === 'consent' ? 'yes: ' : ''}recorded, kept ${kept}.`}`, findings }
}

const RIGHTS = {
  'take-calls': 'Have a phone here and take calls', 'override': 'Record without consent, where the queue allows it', 'wallboard': 'See all calls, agents and queues as they are',
  'listen-live': 'Hear a conversation as it goes on', 'whisper': 'Speak to the agent alone in a conversation', 'barge': 'Speak to all in a conversation',
  'view-listening-logs': 'See everybody’s entries in the listening log', 'listen-recordings': 'Hear recordings', 'export-recordings': 'Take recordings out of the vault',
  'destroy-recordings': 'Destroy a recording before its time', 'manage-vault': 'See and hurry the vault’s jobs', 'view-calls': 'See past calls, their notes and attached data',
  'view-reports': 'See figures', 'view-consents': 'See consents, with numbers', 'view-audit-log': 'See the audit log, export and verify it', 'configure-queues': 'Set queues: strategy, hours, overflow, times',
  'configure-recording': 'Set what is recorded and how long it is kept', 'configure-prompts': 'Upload prompts, set scripts', 'configure-trunks': 'Set trunks and numbers',
  'configure-agents': 'Set agents and their skills', 'manage-users': 'Set users', 'manage-roles': 'Make roles, grant rights, set sign-on', 'configure-system': 'Set webhooks, tokens, rules of passwords',
  'manage-holds': 'Hold recordings back from removal', 'monitor': 'See health: nodes, alarms, jobs', 'dpo': 'Find, report, erase what is known of a person', 'customer-consent': 'Export, reset and withdraw consents',
}
const ROLES = {
  'superuser': Object.keys(RIGHTS).filter((right) => !['dpo', 'customer-consent'].includes(right)), 'supervisor': ['take-calls', 'override', 'wallboard', 'listen-live', 'whisper', 'barge', 'listen-recordings', 'view-calls', 'view-reports'],
  'agent': ['take-calls', 'override'], 'reporting': ['view-reports'], 'queue-administrator': ['configure-queues', 'configure-agents', 'view-reports'], 'ivr-administrator': ['configure-prompts', 'view-reports'],
  'recording-administrator': ['view-listening-logs', 'listen-recordings', 'export-recordings', 'destroy-recordings', 'manage-vault', 'view-calls', 'view-reports', 'view-consents', 'configure-recording', 'manage-holds'],
  'advanced-monitoring': ['wallboard', 'listen-live', 'monitor', 'view-reports'],
}

function stored(method, has, current, body, headers, put) {
  if (method === 'GET') return has ? json(hidden(current), 200, { ETag: etagOf(current) }) : problem(404, 'no-object')
  const [match, none] = [headers['if-match'], headers['if-none-match']]
  if (!match && !none) return problem(428, 'version-needed')
  if ((none && has) || (match && (!has || match !== etagOf(current)))) return problem(412, 'changed')
  if (method === 'DELETE') {
    put(undefined)
    return noContent
  }
  const basis = body['legal-basis']
  if (basis && Object.values(basis)[0] === '') {
    return problem(422, 'bad-settings', 'Some settings are wrong.', { errors: [{ key: 'legal-basis.obligation', what: 'is empty: name the law' }] })
  }
  if (body.url === '' || body.issuer === '') return problem(422, 'bad-settings', 'Some settings are wrong.', { errors: [{ key: body.url === '' ? 'url' : 'issuer', what: 'is missing' }] })
  put(body)
  return json(hidden(body), has ? 200 : 201, { ETag: etagOf(body) })
}

export function answer({ method, path, body, headers, user }) {
  if (!user) return null
  const [, kind, encoded, more] = path.split('/')
  const name = decodeURIComponent(encoded ?? '')
  if (path === '/system') return stored(method, true, system, body, headers, (next) => { system = next })
  if (path === '/default-roles') {
    return json({ roles: Object.entries(ROLES).map(([name, rights]) => ({ name, rights })),
      rights: Object.entries(RIGHTS).map(([right, what]) => ({ right, what, special: ['dpo', 'customer-consent'].includes(right) })) })
  }
  // For looking at a conflict: somebody else changes it behind the page's back.
  if (path === '/mock/elsewhere') {
    kinds[body.kind][body.name] = { ...kinds[body.kind][body.name], ...body.set }
    return noContent
  }
  if (!kinds[kind]) return null
  const all = kinds[kind]
  if (encoded === undefined) return json({ items: Object.entries(all).map(([name, document]) => ({ name, version: etagOf(document), document: hidden(document) })), next: null })
  if (kind === 'queues' && more === 'preview') return json(preview(name, body))
  if (more !== undefined) return null
  return stored(method, name in all, all[name], body, headers, (next) => {
    if (next === undefined) delete all[name]
    else all[name] = next
  })
}
