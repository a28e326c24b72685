// Calls, recordings, consents, holds, retention, reports and the listening log of the stand-in server.
import { at, json, listing, noContent, problem } from '../lib.js'

const HOUR = 3600
const DAY = 86_400
const QUEUES = ['sales', 'support', 'billing']
const AGENTS = ['alice', 'bob', 'carla', 'dan']
const BASES = [['agreed', null], ['agreed-earlier', null], ['refused', 'no'], ['obligation', 'MiFID II'], ['refused', 'silence'], ['withdrawn', null], ['override', 'emergency by bob']]
const pick = (list, n) => list[n % list.length]
const number = (n) => `+3584012${String(34_000 + n * 37).slice(-5)}`

const calls = Array.from({ length: 160 }, (_, n) => {
  const from = -HOUR * (n * 1.7 + 0.4)
  const [basis, detail] = pick(BASES, n)
  const abandoned = n % 9 === 8
  return {
    id: `0199c${(0xa0000 + n * 1319).toString(16)}-7b3c-7d1a-9a51-${(0x2f0000000000 + n).toString(16)}`, arrivedAt: at(from), queue: n % 11 === 5 ? 'billing' : pick(QUEUES, n), firstQueue: pick(QUEUES, n),
    caller: n > 140 ? null : n % 13 === 4 ? null : number(n), dialled: '+35891234500', trunk: 'elisa', agent: abandoned ? null : pick(AGENTS, n),
    connectedAt: abandoned ? null : at(from + 31 + (n % 5) * 9), endedAt: n === 0 ? null : at(from + 200 + n * 3), endCause: n === 0 ? null : abandoned ? 'hung-up' : pick(['hung-up', 'other-side-gone', 'media-timeout'], n % 7 === 6 ? 2 : n % 2),
    basis: abandoned && n % 2 ? null : basis, basisDetail: detail ?? (basis === 'agreed' ? at(from + 12) : basis === 'agreed-earlier' ? at(from - 40 * DAY) : basis === 'withdrawn' ? at(from + 90) : null),
    recordings: ['refused'].includes(basis) || abandoned ? 0 : 1, anonymised: n > 140, restricted: n === 17,
  }
})

const recordings = calls.filter((call) => call.recordings > 0).map((call, n) => {
  const state = n === 0 ? 'recording' : n === 4 ? 'finished' : n === 6 ? 'failed' : n % 15 === 9 ? 'removed' : n % 15 === 11 ? 'destroyed' : 'stored'
  const gone = state === 'removed' || state === 'destroyed'
  return {
    id: `0199d${(0xb0000 + n * 977).toString(16)}-52cc-7aa0-8e11-${(0x5a0000000000 + n).toString(16)}`, call: call.id, queue: call.firstQueue, state, basis: call.basis, basisDetail: call.basisDetail,
    armedAt: call.arrivedAt, startedAt: call.connectedAt, endedAt: call.endedAt, storedAt: state === 'stored' ? call.endedAt : null, destroyedAt: gone ? at(-HOUR * 5) : null, removedAt: state === 'removed' ? at(-HOUR * 4) : null,
    salvaged: n % 20 === 7, seconds: 96, format: pick(['opus', 'ulaw'], n),
    gaps: n % 3 === 1 ? [{ start: 20, seconds: 6, channel: null, why: 'paused' }, { start: 61, seconds: 3.4, channel: 1, why: 'loss' }] : [],
    why: gone ? 'Asked by the caller' : null, playable: state === 'stored' || state === 'finished', hold: n % 14 === 3, restricted: false,
    removesAt: state === 'stored' && n % 14 !== 3 ? at(DAY * (90 - n)) : null, agent: call.agent,
  }
})

// Two people who take turns, and silence in between: peaks 20 a second, sound 8 kHz µ-law-like as PCM.
const RATE = 8000
const turns = (t, side) => {
  if (t > 20 && t < 26) return 0
  if (t > 40 && t < 52) return 0
  const mine = Math.floor(t / 7) % 2 === side
  return mine ? 0.35 + 0.3 * Math.abs(Math.sin(t * 2.1 + side)) * Math.abs(Math.sin(t * 7.3)) : 0.004
}
const waveform = { seconds: 96, caller: [], agent: [] }
for (let n = 0; n < 96 * 20; n++) {
  const jitter = 0.45 + 0.55 * Math.abs(Math.sin(n * 12.9898) * 43758.5453 % 1)
  waveform.caller.push(Number((turns(n / 20, 0) * jitter).toFixed(3)))
  waveform.agent.push(Number((turns(n / 20, 1) * jitter).toFixed(3)))
}
function wav() {
  const frames = RATE * 96
  const data = Buffer.alloc(44 + frames * 4)
  data.write('RIFF', 0); data.writeUInt32LE(36 + frames * 4, 4); data.write('WAVEfmt ', 8); data.writeUInt32LE(16, 16); data.writeUInt16LE(1, 20); data.writeUInt16LE(2, 22)
  data.writeUInt32LE(RATE, 24); data.writeUInt32LE(RATE * 4, 28); data.writeUInt16LE(4, 32); data.writeUInt16LE(16, 34); data.write('data', 36); data.writeUInt32LE(frames * 4, 40)
  for (let n = 0; n < frames; n++) {
    const t = n / RATE
    data.writeInt16LE(Math.round(turns(t, 0) * 9000 * Math.sin(2 * Math.PI * 220 * t)), 44 + n * 4)
    data.writeInt16LE(Math.round(turns(t, 1) * 9000 * Math.sin(2 * Math.PI * 330 * t)), 46 + n * 4)
  }
  return data
}
let sound = null
function audio(headers) {
  sound ??= wav()
  const range = /bytes=(\d+)-(\d*)/.exec(headers.range ?? '')
  if (!range) return { status: 200, body: sound, headers: { 'Content-Type': 'audio/wav', 'Accept-Ranges': 'bytes', 'Content-Length': sound.length } }
  const [from, to] = [Number(range[1]), range[2] ? Number(range[2]) : sound.length - 1]
  const part = sound.subarray(from, to + 1)
  return { status: 206, body: part, headers: { 'Content-Type': 'audio/wav', 'Accept-Ranges': 'bytes', 'Content-Length': part.length, 'Content-Range': `bytes ${from}-${to}/${sound.length}` } }
}

const holds = [
  { id: 'h1', on: { kind: 'recording', id: recordings[3].id, since: null, until: null }, reason: 'Complaint 2026-117: the customer’s lawyer asked for it.', by: 'rita', at: at(-DAY * 12), until: null, releasedAt: null, releasedBy: null },
  { id: 'h2', on: { kind: 'number', id: number(21), since: null, until: null }, reason: 'Police request R/99812', by: 'admin', at: at(-DAY * 40), until: at(DAY * 20), releasedAt: null, releasedBy: null },
  { id: 'h3', on: { kind: 'queue', id: 'billing', since: at(-DAY * 60), until: at(-DAY * 30) }, reason: 'Audit of the second quarter', by: 'rita', at: at(-DAY * 29), until: null, releasedAt: at(-DAY * 3), releasedBy: 'admin' },
]
const answers = ['yes', 'yes', 'no', 'yes', 'silence', 'yes', 'wrong-keys', 'hung-up', 'withdrawn']
const consents = calls.filter((call) => call.basis !== 'obligation').map((call, n) => {
  const answer = pick(answers, n)
  return { call: call.id, at: call.arrivedAt, queue: call.firstQueue, caller: call.caller, answer, agreed: answer === 'yes', digit: answer === 'yes' ? '1' : answer === 'no' ? '2' : null,
    channel: ['yes', 'no'].includes(answer) ? 'rfc4733' : null, question: '9f2c4e1ab07d55e3c6aa810f4d2b9e77', language: pick(['fi', 'sv', 'en'], n), reset: n > 60 && n % 5 === 0 }
})
const listening = recordings.slice(1, 40).map((one, n) => ({ at: at(-HOUR * n * 3), who: pick(['rita', 'sam', 'admin'], n), call: one.call, recording: n % 3 === 2 ? null : one.id,
  kind: n % 3 === 2 ? 'live' : 'recording', mode: n % 3 === 2 ? pick(['listen', 'whisper', 'barge'], n) : null, reason: n % 3 === 2 ? null : pick(['Complaint 2026-117', 'Coaching with Bob', 'Customer asked what was agreed'], n) }))

const detailOf = (call) => {
  const from = Date.parse(call.arrivedAt)
  const after = (seconds) => new Date(from + seconds * 1000).toISOString()
  const gone = call.anonymised ? '{Anonymized by DPO}' : null
  return {
    ...call, language: 'fi',
    legs: [
      { n: 0, direction: 'in', agent: null, outside: null, trunk: 'elisa', dialledAt: call.arrivedAt, connectedAt: call.arrivedAt, endedAt: call.endedAt, cause: call.endCause, mos: 4.31, loss: 0.002, jitterMs: 4.2 },
      ...(call.agent ? [{ n: 1, direction: 'out', agent: call.agent, outside: null, trunk: null, dialledAt: after(24), connectedAt: call.connectedAt, endedAt: call.endedAt, cause: 'other-side-gone', mos: 4.05, loss: 0.011, jitterMs: 9.8 }] : []),
      ...(call.queue !== call.firstQueue ? [{ n: 2, direction: 'out', agent: null, outside: gone ?? '+35891000200', trunk: 'elisa', dialledAt: after(80), connectedAt: null, endedAt: after(95), cause: 'no-answer', mos: null, loss: null, jitterMs: null }] : []),
    ],
    events: [
      { at: after(12), kind: 'decided', agent: null, queue: call.firstQueue, detail: call.basis, note: null },
      { at: after(13), kind: 'queued', agent: null, queue: call.firstQueue, detail: null, note: null },
      { at: after(60), kind: 'paused', agent: call.agent, queue: null, detail: null, note: null },
      { at: after(71), kind: 'resumed', agent: call.agent, queue: null, detail: null, note: null },
      ...(call.basis === 'override' ? [{ at: after(75), kind: 'overridden', agent: 'bob', queue: null, detail: 'emergency', note: gone ?? 'Caller threatens to hurt himself' }] : []),
    ],
    consents: consents.filter((one) => one.call === call.id),
    recordingList: recordings.filter((one) => one.call === call.id).map(({ id, state, seconds }) => ({ id, state, seconds })),
    notes: [{ at: after(260), by: call.agent ?? 'alice', text: gone ?? 'Asked for a new invoice; sent by e-mail.\nWill call again on Monday.' }],
    data: gone ? { order: gone } : { order: '2026-11842', language: 'fi', 'crm-case': 'C-77120' },
  }
}

// What a filter finds.
const within = (query, moment) => (!query.get('since') || moment >= query.get('since')) && (!query.get('until') || moment < query.get('until'))
const like = (wish, value) => !wish || String(value ?? '').toLowerCase().includes(wish.toLowerCase())
const by = (query, names, row) => names.every((name) => !query.get(name) || String(row[name]) === query.get(name))

const rows = (keys) => keys.map((key, n) => { const asked = 140 + (n * 53) % 90
  const [refused, silent, wrongKeys, hungUp] = [18 + (n * 7) % 12, 9 + (n * 5) % 7, 3 + n % 4, 2 + n % 3]
  return { key, asked, given: asked - refused - silent - wrongKeys - hungUp, refused, wrongKeys, silent, hungUp, withdrawn: n % 3 } })
const callRows = (keys) => keys.map((key, n) => { const offered = 200 + (n * 71) % 160; const abandoned = 8 + (n * 5) % 20
  return { key, offered, answered: offered - abandoned, abandoned, recorded: Math.round(offered * 0.61), waitSeconds: offered * (14 + n % 40), talkSeconds: (offered - abandoned) * (190 + (n * 13) % 90), serviceLevel: 0.7 + (n % 25) / 100 } })
const total = (list) => Object.fromEntries(Object.keys(list[0] ?? {}).map((key) => [key, key === 'key' ? '' : key === 'serviceLevel' ? 0.84 : list.reduce((sum, row) => sum + row[key], 0)]))
const keysOf = (way) => (way === 'queue' ? QUEUES : way === 'question' ? ['9f2c4e1ab07d55e3c6aa810f4d2b9e77', 'c41be2227a5ddf80a1190b6f1e1c7788']
  : way === 'hour' ? Array.from({ length: 24 }, (_, n) => `${String(n).padStart(2, '0')}:00`) : Array.from({ length: 30 }, (_, n) => at(-DAY * (29 - n)).slice(0, 10)))

const timeline = (scale) => Array.from({ length: 30 }, (_, n) => ({ day: at(DAY * n).slice(0, 10), recordings: Math.round(scale * (40 + (n * 29) % 50)), calls: Math.round(scale * (10 + (n * 17) % 25)) }))
const sentence = (who, rec, callsKept) => `Recordings of ${who} are removed ${rec} after the call’s end; after ${callsKept} the call is anonymised.`
const retention = () => json({
  rules: [
    { queue: null, calls: '365d', recordings: '90d', from: 'system', sentence: sentence('all queues', '90 days', '365 days') },
    { queue: 'sales', calls: '365d', recordings: '30d', from: 'queue', sentence: sentence('sales', '30 days', '365 days') },
    { queue: 'support', calls: '365d', recordings: '90d', from: 'system', sentence: sentence('support', '90 days', '365 days') },
    { queue: 'billing', calls: '2555d', recordings: 'forever', from: 'queue', sentence: 'Recordings of billing are kept until the call is anonymised, after 2,555 days.' },
  ], reporting: '1825d', lagSeconds: 7380, lastRun: at(-240), removedToday: 131, due: 312, held: 24, timeline: timeline(1),
})
const simulation = { now: { recordings: 312, bytes: 1.9e9, calls: 41, rows: 1204, held: 24, byQueue: [{ queue: 'sales', recordings: 211, calls: 20 }, { queue: 'support', recordings: 101, calls: 21 }] },
  proposed: { recordings: 8412, bytes: 51.2e9, calls: 41, rows: 1204, held: 31, byQueue: [{ queue: 'sales', recordings: 211, calls: 20 }, { queue: 'support', recordings: 8201, calls: 21 }] },
  sooner: recordings.slice(20, 32).map((one) => ({ recording: one.id, call: one.call, queue: one.queue, at: one.startedAt, goesAt: at(HOUR), sentence: 'Kept 90 days as the rules are, 14 days as you would have them.' })), timeline: timeline(2.4), tookMs: 2380 }

const opened = new Set()
/** The queues whose recordings are heard with a reason only. */
const needsReason = (recording) => recording.queue === 'support'

export function answer(ask) {
  const { method, path, url, body, user } = ask
  if (!user) return null
  const query = url.searchParams
  const [, kind, rawId, what] = path.split('/')
  const id = rawId && decodeURIComponent(rawId)
  if (method === 'GET' && path === '/calls') {
    return listing(calls.filter((call) => within(query, call.arrivedAt) && by(query, ['queue'], call) && like(query.get('agent'), call.agent) && (!query.get('number') || call.caller?.endsWith(query.get('number')))
      && (!query.get('state') || query.get('state') === (call.restricted ? 'restricted' : !call.endedAt ? 'running' : call.connectedAt ? 'ended' : 'abandoned'))), url)
  }
  const call = kind === 'calls' && calls.find((one) => one.id === id)
  if (call && method === 'GET' && !what) return json(detailOf(call))
  if (call && method === 'PUT' && what === 'data') return noContent
  if (method === 'GET' && path === '/recordings') {
    return listing(recordings.filter((one) => within(query, one.armedAt) && by(query, ['queue', 'state', 'hold', 'call'], one) && like(query.get('agent'), one.agent)), url)
  }
  const recording = kind === 'recordings' && recordings.find((one) => one.id === id)
  if (kind === 'recordings' && !recording) return problem(404, 'no-recording')
  if (recording) return ofRecording(recording, what, ask)
  if (kind === 'holds') {
    if (method === 'GET') return listing(holds.filter((one) => query.get('active') !== 'true' || !one.releasedAt), url)
    if (method === 'POST') {
      const [[kind, name]] = Object.entries(body.on)
      const hold = { id: `h${holds.length + 1}`, on: { kind, id: name, since: body.on.since ?? null, until: body.on.until ?? null }, reason: body.reason, by: user, at: at(), until: body.until ?? null, releasedAt: null, releasedBy: null }
      holds.unshift(hold)
      const held = recordings.find((one) => one.id === name)
      if (held) held.hold = true
      return json(hold, 201)
    }
    const hold = holds.find((one) => one.id === id)
    if (!hold) return problem(404, 'no-hold')
    Object.assign(hold, { releasedAt: at(), releasedBy: user })
    return noContent
  }
  if (path === '/consents') return listing(consents.filter((one) => within(query, one.at) && by(query, ['queue', 'answer'], one) && (!query.get('number') || one.caller?.endsWith(query.get('number')))), url)
  if (path === '/consents/export') return { status: 200, body: 'call,at,queue,number,answer\r\n', headers: { 'Content-Type': 'text/csv' } }
  if (path === '/consents/withdraw') return json({ withdrawn: 2, told: 0 })
  if (path === '/consents/reset') return json({ reset: body.all ? 48_112 : 3, exported: 'task-9' })
  if (path === '/reports/consents') { const list = rows(keysOf(query.get('by'))); return json({ rows: list, total: total(list) }) }
  if (path === '/reports/calls') { const list = callRows(keysOf(query.get('by'))); return json({ rows: list, total: total(list) }) }
  if (path === '/listening-log') return listing(listening.filter((one) => within(query, one.at) && like(query.get('who'), one.who) && like(query.get('call'), one.call) && like(query.get('recording'), one.recording)), url)
  if (path === '/retention') return retention()
  if (path === '/retention/simulation') return new Promise((done) => { setTimeout(() => { done(json(simulation)) }, 700) })
  return null
}

function ofRecording(recording, what, { method, body, user, headers }) {
  const key = `${user} ${recording.id}`
  const closed = needsReason(recording) && !opened.has(key)
  if (!what && method === 'GET') return json(recording)
  if (!what && method === 'DELETE') {
    if (recording.hold) return problem(409, 'held', 'A legal hold keeps it.')
    Object.assign(recording, { state: 'destroyed', destroyedAt: at(), playable: false, removesAt: null, why: body.reason })
    return json(recording, 202)
  }
  if (what === 'listening') {
    opened.add(key)
    return json({ recording: recording.id, since: at() }, 201)
  }
  if (what === 'waveform') return closed ? problem(428, 'reason-needed', 'Say why you listen.') : json(waveform)
  if (what === 'audio') return closed ? problem(428, 'reason-needed', 'Say why you listen.') : audio(headers)
  if (what === 'vcon') return { status: 200, body: '{"payload":""}', headers: { 'Content-Type': 'application/vcon' } }
  if (what === 'certificate') return json({ certificate: { recording: recording.id }, algorithm: 'Ed25519', public_key: '', signature: '' })
  if (what === 'why') {
    const gone = ['destroyed', 'removed'].includes(recording.state)
    return json({
      sentence: gone ? 'It was destroyed on request before its time, and every copy is removed.' : recording.hold ? 'It is kept by a legal hold, although its time may come.' : 'It is kept 90 days from the call’s end, as the system says; then it is removed.',
      rule: gone ? 'request' : 'system: recordings 90d', clock: gone ? null : { from: recording.endedAt ?? recording.armedAt, keep: '90d', at: at(DAY * 60) },
      holds: recording.hold ? holds.slice(0, 1) : [], history: [{ at: recording.armedAt, what: 'recorded', by: 'consent of the caller' }, { at: recording.endedAt ?? recording.armedAt, what: 'stored and compared', by: 'system' }, ...(gone ? [{ at: recording.destroyedAt, what: 'key destroyed', by: 'rita' }] : [])],
    })
  }
  return null
}
