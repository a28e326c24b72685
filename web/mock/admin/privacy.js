// People's data, the audit log and health of the stand-in server.
import { at, json, listing, noContent, problem } from '../lib.js'

const DAY = 86_400
const entries = Array.from({ length: 70 }, (_, n) => ({ id: `e${n}`, list: n % 3 ? 'customers' : 'autumn campaign', name: `${['Aino', 'Ben', 'Clara', 'David', 'Eeva'][n % 5]} ${['Korhonen', 'Meier', 'Novak', 'Salo'][n % 4]}`,
  number: n % 6 === 5 ? null : `+35840123${4000 + n}`, email: n % 2 ? `person${n}@example.org` : null, note: n % 9 === 1 ? 'Prefers mornings' : null, at: at(-DAY * n) }))
const task = (id, kind, state, by, more = {}) => ({ id, kind, state, by, at: at(-3600 * Number(id.slice(1)) * 5), approvedBy: null, reason: 'Request 2026-031 of the person', progress: { done: 0, total: 0 }, what: null, endedAt: null, expiresAt: null, hasFile: false,
  counts: { calls: 12, recordings: 7, consents: 9, entries: 1 }, ...more })
const tasks = [
  task('t0', 'zip', 'running', 'admin', { progress: { done: 3, total: 7 } }),
  task('t1', 'erase', 'waiting-for-approval', 'daniel'),
  task('t2', 'erase', 'waiting-for-approval', 'admin', { reason: 'Request 2026-029' }),
  task('t3', 'report', 'done', 'daniel', { endedAt: at(-3000), expiresAt: at(DAY * 6), hasFile: true, progress: { done: 12, total: 12 } }),
  task('t4', 'erase', 'done', 'daniel', { approvedBy: 'admin', endedAt: at(-DAY), hasFile: true }),
  task('t5', 'restrict', 'refused', 'daniel', { what: 'admin: it is another person’s number' }),
  task('t6', 'move', 'failed', 'admin', { what: 'The separate store did not give back what was written: nothing was erased.' }),
  task('t7', 'report', 'done', 'admin', { expiresAt: at(-DAY), hasFile: true }),
]
const call = (n) => ({ id: `0199c${n}aaaa-7b3c-7d1a-9a51-2f0000000000`, arrivedAt: at(-DAY * (n + 1)), queue: n % 2 ? 'sales' : 'support', firstQueue: 'sales', caller: '+358401234567', dialled: '+35891234500', trunk: 'elisa', agent: 'bob', connectedAt: at(-DAY * (n + 1) + 30),
  endedAt: at(-DAY * (n + 1) + 300), endCause: 'hung-up', basis: 'agreed', basisDetail: null, recordings: n % 3 ? 1 : 0, anonymised: n === 7, restricted: n === 4 })
const found = () => ({
  calls: { total: 8, items: Array.from({ length: 8 }, (_, n) => call(n)) },
  consents: { total: 5, items: Array.from({ length: 5 }, (_, n) => ({ call: call(n).id, at: call(n).arrivedAt, queue: 'sales', caller: '+358401234567', answer: n === 3 ? 'no' : 'yes', agreed: n !== 3, digit: n === 3 ? '2' : '1', channel: 'rfc4733', question: null, language: 'fi', reset: false })) },
  recordings: { total: 5, items: [1, 2, 4, 5, 7].map((n) => ({ id: `0199d${n}bbbb-52cc-7aa0`, call: call(n).id, state: n === 7 ? 'removed' : 'stored', at: call(n).connectedAt })) },
  entries: { total: 1, items: entries.slice(0, 1) }, tooMany: false, tookMs: 184,
})

const actions = [['config', 'queue.changed', 'queue', 'support', 'file-removal', '90d', '30d'], ['rights', 'user.granted', 'user', 'daniel', 'grants', null, 'dpo'], ['read', 'calls.listed', 'calls', 'csv', null, null, '160 rows'],
  ['modify', 'recording.destroyed', 'recording', '0199d1bbbb-52cc', 'state', 'stored', 'destroyed'], ['failure', 'session.failed', 'user', 'sam', null, null, 'wrong password'], ['presence', 'agent.ready', 'agent', 'bob', 'state', 'not-ready', 'ready'],
  ['system', 'server.started', 'node', 'sayso-1', null, null, '0.6.0'], ['modify', 'call.overridden', 'call', '0199c1aaaa-7b3c', 'reason', null, 'Caller threatens to hurt himself']]
const audit = Array.from({ length: 180 }, (_, n) => {
  const [cls, action, kind, id, attribute, old, fresh] = actions[n % actions.length]
  const erased = n % 23 === 15
  return { seq: 1_204_331 - n, at: at(-700 * n), class: cls, actor: cls === 'system' ? 'system' : ['user admin', 'user rita', 'agent bob'][n % 3], action, object: { kind, id, attribute }, about: cls === 'modify' ? 'person 7f31' : null, old: erased ? null : old, new: erased ? null : fresh, erased }
})
const anchors = Array.from({ length: 14 }, (_, n) => ({ seq: 1_204_000 - n * 9000, hash: `${(0x9f2c4e1a + n * 77777).toString(16)}b07d55e3c6aa810f4d2b9e77a1190b6f1e1c7788c41be2227a5ddf80`, at: at(-3600 * n - 1800), to: n % 2 ? 's3://audit-anchors/sayso' : '/var/lib/sayso/anchors.jsonl', state: n === 3 ? 'failed' : 'anchored', what: n === 3 ? 'The store was away; tried again.' : null }))

const jobs = [
  { id: 'j1', kind: 'destroy', subject: '0199d1bbbb-52cc-7aa0', spool: null, attempts: 4, due: at(500), created: at(-9000), leasedBy: null, leasedUntil: null, error: 'the store refuses to delete version 3: object lock until 2026-12-01', progress: null },
  { id: 'j2', kind: 'upload', subject: '0199d2bbbb-52cc-7aa0', spool: 'sayso-1', attempts: 1, due: at(-5), created: at(-60), leasedBy: 'sayso-1', leasedUntil: at(30), error: null, progress: { done: 61, total: 188 } },
  { id: 'j3', kind: 'encode', subject: '0199d3bbbb-52cc-7aa0', spool: 'sayso-1', attempts: 0, due: at(-1), created: at(-10), leasedBy: null, leasedUntil: null, error: null, progress: null },
]
const reconciliations = Array.from({ length: 5 }, (_, n) => ({ id: `r${n}`, beganAt: at(-DAY * n - 7200), endedAt: n === 0 ? null : at(-DAY * n - 6900), by: n === 2 ? 'admin' : 'schedule', state: n === 0 ? 'running' : n === 4 ? 'failed' : 'ended', counts: n === 0 ? null : { calls: 4120, recorded: 2710, objects: 48_211, bytes: 9.1e10, verified: 200, findings: { orphan: 2, 'late-job': 1 } }, why: n === 4 ? 'the store was away for 10 minutes' : null }))
const findings = [['orphan', 'recordings/2026/11/0199ee01.opus', 'belongs to no recording', null], ['orphan', 'recordings/2026/11/0199ee02.opus', 'belongs to no recording', at(-3000)], ['late-job', '0199d1bbbb-52cc', 'destruction waits for 3 hours', null]]
  .map(([kind, subject, detail, resolvedAt]) => ({ kind, subject, detail, resolvedAt, resolvedBy: resolvedAt && 'admin' }))

const later = (value, ms) => new Promise((done) => { setTimeout(() => { done(value) }, ms) })

export function answer({ method, path, url, body, octets, user }) {
  if (!user) return null
  const query = url.searchParams
  const [, , , id, what] = path.split('/')
  if (path === '/privacy/search') return body.name === 'nobody' ? json({ calls: { total: 0, items: [] }, consents: { total: 0, items: [] }, recordings: { total: 0, items: [] }, entries: { total: 0, items: [] }, tooMany: false, tookMs: 12 }) : later(json(found()), 300)
  if (path === '/privacy/tasks' && method === 'GET') return listing(tasks, url)
  if (path === '/privacy/tasks') {
    const made = { ...task(`t${tasks.length}`, body.kind, ['erase', 'move'].includes(body.kind) ? 'waiting-for-approval' : 'running', user, { reason: body.reason, progress: { done: 1, total: 8 } }), at: at() }
    tasks.unshift(made)
    return json(made, 201)
  }
  if (path.startsWith('/privacy/tasks/')) {
    const one = tasks.find((task) => task.id === id)
    if (!one) return problem(404, 'no-task')
    if (what === 'approve') return one.by === user ? problem(409, 'own') : json(Object.assign(one, { state: 'running', approvedBy: user, progress: { done: 2, total: 12 } }))
    if (what === 'refuse') return json(Object.assign(one, { state: 'refused', what: `${user}: ${body.reason}` }))
    if (what === 'file') return { status: 200, body: 'a,b\r\n', headers: { 'Content-Type': 'text/csv', 'Content-Disposition': 'attachment; filename="report.csv"' } }
    return json(one)
  }
  if (path === '/privacy/directory' && method === 'GET') return listing(entries.filter(({ name, list, email }) => `${name} ${list} ${email}`.toLowerCase().includes((query.get('q') ?? '').toLowerCase())), url)
  if (path === '/privacy/directory') return json({ added: String(octets).split('\n').length - 2, changed: 3, errors: [{ line: 4, what: '"04x12" is no number' }, { line: 9, what: 'name is empty' }] })
  if (path.startsWith('/privacy/directory/')) {
    entries.splice(entries.findIndex((one) => one.id === id), 1)
    return noContent
  }
  if (path === '/audit' && method === 'GET') {
    return listing(audit.filter((row) => (!query.get('class') || row.class === query.get('class')) && ['actor', 'action'].every((name) => !query.get(name) || row[name].includes(query.get(name)))
      && (!query.get('q') || JSON.stringify(row).toLowerCase().includes(query.get('q').toLowerCase()))), url)
  }
  if (path === '/audit/verify') return later(json({ whole: true, rows: 1_204_331, head: anchors[0].hash, tookMs: 2914, fault: null, anchors: { checked: 134, fault: null } }), 900)
  if (path === '/audit/anchors' && method === 'POST') {
    const made = [['/var/lib/sayso/anchors.jsonl', 'anchored', null], ['webhook notary', 'failed', 'the answer was 503']]
      .map(([to, state, what]) => ({ ...anchors[0], seq: 1_204_331, at: at(), to, state, what }))
    anchors.unshift(...made)
    return json(made, 201)
  }
  if (path === '/audit/anchors') return listing(anchors, url)
  if (path === '/nodes') return json([{ id: 'sayso-1', version: '0.6.0', since: at(-DAY * 6), seenAt: at(-2), calls: 14, draining: false, here: true }, { id: 'sayso-2', version: '0.6.0', since: at(-DAY * 2), seenAt: at(-3), calls: 3, draining: true, here: false }, { id: 'sayso-3', version: '0.5.2', since: at(-DAY * 40), seenAt: at(-4000), calls: 0, draining: false, here: false }])
  if (path === '/alarms') return json([{ kind: 'destruction-waits', what: 'A recording’s copies could not be removed for 3 hours: object lock.', since: at(-9000) }])
  if (path === '/jobs') return json({ items: jobs, next: null, kinds: [{ kind: 'destroy', waiting: 1, running: 0, failing: 1, oldest: at(-9000) }, { kind: 'upload', waiting: 0, running: 1, failing: 0, oldest: at(-60) }, { kind: 'encode', waiting: 1, running: 0, failing: 0, oldest: at(-10) }] })
  if (path.startsWith('/jobs/')) return noContent
  if (path === '/reconciliations') return method === 'POST' ? noContent : listing(reconciliations, url)
  if (path.startsWith('/reconciliations/')) {
    const name = path.split('/')[2]
    const one = reconciliations.find((report) => report.id === name)
    if (!one) return problem(404, 'no-report')
    if (method === 'POST') {
      findings.find(({ subject }) => subject === body.name).resolvedAt = at()
      return noContent
    }
    return json({ ...one, findings: { items: findings, next: null } })
  }
  return null
}
