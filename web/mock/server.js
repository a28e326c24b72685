// A stand-in for the server while the pages are worked on: `npm run dev`. It speaks `src/api/types.ts` about an invented
// contact centre, and passes SIP from one page to another; `mock/remote.html` plays caller, server and echo.
// Users (any password): alice (agent), sam (supervisor), nina (has to change her password: `old`), admin (superuser with all
// rights; asked for a code, 123456), rita (recording administrator), quinn (queue administrator, of `sales` alone).
// What the administrators' pages ask is answered by the files of `mock/admin/`: each exports `answer(ask)`.
import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'

import { WebSocketServer } from 'ws'

const at = (seconds = 0) => new Date(Date.now() + seconds * 1000).toISOString()
const person = (name, role, rights, more = {}) =>
  ({ name, role, rights, agent: null, mustChangePassword: false, language: null, by: 'password', secondFactor: false, mustAddSecondFactor: false,
    queues: null, passwordExpiresAt: null, ...more })
const EVERY_RIGHT = ['take-calls', 'override', 'wallboard', 'listen-live', 'whisper', 'barge', 'view-listening-logs', 'listen-recordings',
  'export-recordings', 'destroy-recordings', 'manage-vault', 'view-calls', 'view-reports', 'view-consents', 'view-audit-log', 'configure-queues',
  'configure-recording', 'configure-prompts', 'configure-trunks', 'configure-agents', 'manage-users', 'manage-roles', 'configure-system',
  'manage-holds', 'monitor', 'dpo', 'customer-consent']
const users = {
  alice: person('Alice Virtanen', 'agent', ['take-calls', 'override'], { agent: 'alice' }),
  sam: person('Sam Keller', 'supervisor',
    ['take-calls', 'override', 'wallboard', 'listen-live', 'whisper', 'barge', 'view-listening-logs',
      'listen-recordings', 'export-recordings', 'destroy-recordings', 'manage-vault'], { agent: 'sam' }),
  admin: person('Ada Admin', 'superuser', EVERY_RIGHT, { secondFactor: true }),
  rita: person('Rita Records', 'recording-administrator', ['view-listening-logs', 'listen-recordings', 'export-recordings', 'destroy-recordings',
    'manage-vault', 'view-calls', 'view-reports', 'view-consents', 'configure-recording', 'manage-holds']),
  quinn: person('Quinn Queue', 'queue-administrator', ['configure-queues', 'configure-agents', 'view-reports'], { queues: ['sales'] }),
  mia: person('Mia Must', 'supervisor', ['wallboard', 'view-calls'], { mustAddSecondFactor: true }),
  nina: person('Nina Brandt', 'agent', ['take-calls'], { agent: 'nina', mustChangePassword: true }),
}
const agent = (id, name, state, queues, more = {}) =>
  ({ id, name, queues, state, since: at(-95), reason: null, until: null, call: null, ...more })
const agents = new Map([
  agent('alice', 'Alice Virtanen', 'not-ready', ['sales', 'support'], { reason: 'break' }),
  agent('bob', 'Bob Lindqvist', 'talking', ['support'], { call: 'c-100' }),
  agent('carla', 'Carla Mayer', 'wrap-up', ['sales'], { until: at(40) }),
  agent('dan', 'Dan Okafor', 'ready', ['support']),
  agent('nina', 'Nina Brandt', 'logged-off', ['sales']),
  agent('sam', 'Sam Keller', 'not-ready', ['support'], { reason: 'meeting' }),
].map((one) => [one.id, one]))
const queue = (id, more) => ({ id, waiting: 0, longestSince: null, offered: 0, answered: 0, abandoned: 0, serviceLevel: null,
  serviceSeconds: 20, ready: 0, ...more })
const queues = new Map([
  queue('sales', { waiting: 2, longestSince: at(-64), offered: 148, answered: 139, abandoned: 7, serviceLevel: 0.93 }),
  queue('support', { waiting: 5, longestSince: at(-213), offered: 312, answered: 281, abandoned: 26, serviceLevel: 0.71, ready: 1 }),
  queue('billing', {}),
].map((one) => [one.id, one]))
const call = (id, more) => ({ id, phase: 'waiting', arrivedAt: at(-120), queue: 'support', firstQueue: 'support', caller: '+358401234567',
  waitingSince: null, connectedAt: null, parties: [], consent: { state: 'given', at: at(-100) },
  recording: { state: 'off', why: { kind: 'agreed', at: at(-100) }, pausedAt: null, resumesAt: null, can: [] }, ...more })
const calls = new Map([
  call('c-100', { phase: 'talking', caller: '••• 67', connectedAt: at(-185), arrivedAt: at(-260),
    parties: [{ leg: 2, kind: 'agent', id: 'bob', name: 'Bob Lindqvist', state: 'talking' }],
    recording: { state: 'recording', why: { kind: 'agreed', at: at(-230) }, pausedAt: null, resumesAt: null, can: [] } }),
  call('c-101', { queue: 'sales', firstQueue: 'sales', caller: '••• 12', waitingSince: at(-64), consent: { state: 'refused', at: at(-70) },
    recording: { state: 'off', why: { kind: 'refused', answer: 'no', at: at(-70) }, pausedAt: null, resumesAt: null, can: [] } }),
  call('c-102', { caller: null, waitingSince: at(-213), consent: { state: 'not-needed', at: null },
    recording: { state: 'off', why: { kind: 'legal', basis: 'obligation', detail: 'MiFID II' }, pausedAt: null, resumesAt: null, can: [] } }),
].map((one) => [one.id, one]))
const past = Array.from({ length: 30 }, (_, i) => ({
  id: `p-${i}`, arrivedAt: at(-3600 * (i + 1)), queue: i % 3 ? 'support' : 'sales', caller: i % 7 === 3 ? null : `+35840123${1000 + i}`,
  connectedAt: i % 9 === 8 ? null : at(-3600 * (i + 1) + 30), endedAt: at(-3600 * (i + 1) + 200 + 37 * i), endCause: 'hung-up',
  why: i % 4 === 1 ? { basis: 'refused', detail: null } : i % 5 === 2 ? { basis: 'obligation', detail: 'MiFID II' } : { basis: 'agreed', detail: null },
  recordings: i % 4 === 1 || i % 9 === 8 ? [] : [{ id: `r-${i}`, state: 'stored', seconds: 150 + i }],
  notes: i % 3 === 0 ? [{ at: at(-3600 * i - 3000), by: 'alice', text: 'Asked for a new invoice; sent by e-mail.' }] : [],
}))
const listening = Array.from({ length: 8 }, (_, i) => ({
  at: at(-7200 * (i + 1)), who: i % 2 ? 'sam' : 'alice', call: `p-${i}`, recording: i % 2 ? null : `r-${i}`,
  kind: i % 2 ? 'live' : 'recording', mode: i % 2 ? 'whisper' : null, reason: i % 2 ? null : 'Customer asked what was agreed',
}))

const sessions = new Map()
const streams = new Set()
const send = (event, data) => { for (const stream of streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`) }
const change = (map, event) => (id, more) => { const next = { ...map.get(id), ...more }; map.set(id, next); send(event, next) }
const setAgent = change(agents, 'agent')
const setCall = change(calls, 'call')
const setRecording = (id, more) => setCall(id, { recording: { ...calls.get(id).recording, ...more } })
const gone = (id) => { if (calls.delete(id)) send('gone', { id }) }

// ---- what SIP does to the calls
const mineIn = (id, agent) => calls.get(id)?.parties.find((party) => party.id === agent)
function rings(agent, id, purpose) {
  if (purpose === 'supervise' || purpose === 'reattach') return
  const name = agents.get(agent).name
  setCall(id, { ...call(id, { phase: 'ringing', queue: 'sales', firstQueue: 'support', waitingSince: at(-42) }),
    parties: [{ leg: 2, kind: 'agent', id: agent, name, state: 'ringing' }] })
  setAgent(agent, { state: 'ringing', since: at(), call: id })
}
function answered(agent, id, purpose) {
  if (purpose === 'supervise') {
    const parties = calls.get(id).parties.map((party) => (party.kind === 'supervisor' ? { ...party, state: 'listening' } : party))
    return setCall(id, { parties })
  }
  setAgent(agent, { state: 'talking', since: at(), call: id })
  setCall(id, { phase: 'talking', waitingSince: null, connectedAt: at(), parties: [{ ...mineIn(id, agent), state: 'talking' }] })
  const { why } = calls.get(id).recording
  const on = ['agreed', 'legal'].includes(why.kind)
  setRecording(id, { state: on ? 'recording' : 'off', can: on ? ['pause', 'withdraw'] : ['override'] })
}
function ended(agent, id) {
  const one = calls.get(id)
  if (!one) return
  if (one.parties.some((party) => party.kind === 'supervisor' && party.id === agent)) {
    return setCall(id, { parties: one.parties.filter((party) => party.kind !== 'supervisor') })
  }
  gone(id)
  setAgent(agent, { state: 'wrap-up', since: at(), until: at(30), call: null })
}

// ---- REST
const problem = (status, title, detail = title) => ({ status, body: { status, title, detail } })
const noContent = { status: 204 }
const json = (body) => ({ status: 200, body })
const sessionOf = (user) => ({ user, ...users[user], server: { version: '0.0.0', now: at() } })

function page(items, url) {
  const from = Number(url.searchParams.get('before') ?? 0)
  return json({ items: items.slice(from, from + 20), next: from + 20 < items.length ? String(from + 20) : null })
}

function command(id, what, method, body, user) {
  const one = calls.get(id)
  if (what === 'notes') return noContent
  if (!one) return problem(404, 'no-such-call')
  const me = users[user].agent
  const my = mineIn(id, me)
  const second = { leg: 5, kind: 'agent', id: 'dan', name: 'Dan Okafor', state: 'consulted' }
  const settle = { 
    'transfer': () => ended(me, id),
    'consult': () => {
      setCall(id, { phase: 'consulting', parties: [{ ...my, state: 'talking' }, { ...second, state: 'ringing' }] })
      setRecording(id, { state: 'off', can: [] })
      setTimeout(() => calls.get(id)?.phase === 'consulting' && setCall(id, { parties: [calls.get(id).parties[0], second] }), 1500)
    },
    'complete': () => ended(me, id),
    'three-way': () => {
      setCall(id, { phase: 'conference', parties: [my, { ...second, state: 'talking' }] })
      setRecording(id, { state: 'recording', can: ['pause', 'withdraw'] })
    },
    'end-consultation': () => {
      setCall(id, { phase: 'talking', parties: [{ ...my, state: 'talking' }] })
      setRecording(id, { state: 'recording', can: ['pause', 'withdraw'] })
    },
    'recording/pause': () => setRecording(id, { state: 'paused', pausedAt: at(), resumesAt: at(60), can: ['resume', 'withdraw'] }),
    'recording/resume': () => setRecording(id, { state: 'recording', pausedAt: null, resumesAt: null, can: ['pause', 'withdraw'] }),
    'recording/withdraw': () => {
      setCall(id, { consent: { state: 'withdrawn', at: at() } })
      setRecording(id, { state: 'off', why: { kind: 'withdrawn', at: at() }, pausedAt: null, resumesAt: null, can: ['override'] })
    },
    'recording/override': () => setRecording(id, { state: 'recording', can: ['pause', 'withdraw'],
      why: { kind: 'override', by: me, category: body.category, at: at() } }),
    'supervise': () => {
      const state = { listen: 'listening', whisper: 'whispering', barge: 'barged' }[body?.mode]
      const others = one.parties.filter((party) => party.kind !== 'supervisor')
      const party = { leg: 9, kind: 'supervisor', id: user, name: users[user].name, state: method === 'POST' ? 'dialled' : state }
      setCall(id, { parties: method === 'DELETE' ? others : [...others, party] })
      if (method === 'POST') tellRemote({ ring: me, call: id, purpose: 'supervise' })
      if (method === 'DELETE') tellRemote({ hangUp: true })
    },
  }[what]
  if (!settle) return problem(404, 'no-such-route')
  settle()
  return noContent
}

function answer(method, url, body, user) {
  const path = url.pathname.replace('/api/v1', '')
  const [, , id, ...rest] = path.split('/')
  if (path === '/session' && method === 'POST' && users[body.user]?.secondFactor && body.code !== '123456') return problem(401, body.code ? 'wrong-code' : 'code-needed')
  if (path === '/session' && method === 'POST') return users[body.user] ? { ...json(sessionOf(body.user)), user: body.user } : problem(401, 'wrong')
  if (!user) return problem(401, 'not-logged-in')
  if (path === '/session' && method === 'GET') return json(sessionOf(user))
  if (path === '/session') return { status: 204, user: null }
  if (path === '/session/password') {
    if (body.new.length < 12) return problem(422, 'too-short')
    users[user] = { ...users[user], mustChangePassword: false }
    return noContent
  }
  if (path === '/phone') {
    return json({ websocket: `ws://${url.host}/sip`, uri: `sip:${users[user].agent}@mock.invalid`, user, password: 'x', expires: at(3600),
      iceServers: [], selfTest: 'selftest' })
  }
  if (path === '/presence') {
    setAgent(users[user].agent, { state: body.ready ? 'ready' : 'not-ready', since: at(), reason: body.reason ?? null, until: null })
    return noContent
  }
  if (path === '/presence/reasons') return json(['break', 'lunch', 'meeting', 'training', 'paperwork', 'Fire drill'])
  if (path === '/directory') return json({ agents: [...agents.values()].map(({ id, name }) => ({ id, name })), queues: [...queues.keys()], outside: true })
  if (path === '/my/calls') return page(past, url)
  if (path.endsWith('listening-log')) return page(path.startsWith('/my') ? listening.filter((one) => one.who === user) : listening, url)
  if (path.startsWith('/calls/')) return command(decodeURIComponent(id), rest.join('/'), method, body, user)
  return problem(404, 'no-such-route')
}

// ---- the administrators' pages
const folder = new URL('./admin/', import.meta.url)
const parts = await Promise.all(readdirSync(folder).filter((name) => name.endsWith('.js')).sort().map((name) => import(new URL(name, folder).href)))

/** `ask`: {method, path, url, body (parsed JSON, or the text), octets, headers, user, users}. The first that has an answer gives it. */
async function adminAnswer(ask) {
  for (const part of parts) {
    const result = await part.answer?.(ask)
    if (result) return result
  }
  return null
}

async function serve(request, response, next) {
  const url = new URL(request.url, `http://${request.headers.host}`)
  if (url.pathname === '/mock/state') {
    // For screenshots: {call: id, set: {…}} or {agent: id, set} or {gone: id}
    const ask = JSON.parse(await text(request))
    if (ask.call) setCall(ask.call, ask.set)
    if (ask.agent) setAgent(ask.agent, ask.set)
    if (ask.gone) gone(ask.gone)
    return response.end('{}')
  }
  if (!url.pathname.startsWith('/api/v1/')) return next()
  const token = /sayso=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
  const user = sessions.get(token)
  if (url.pathname === '/api/v1/events') {
    if (!user) return response.writeHead(401).end()
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    const snapshot = { now: at(), calls: [...calls.values()], agents: [...agents.values()], queues: [...queues.values()] }
    response.write(`event: snapshot\ndata: ${JSON.stringify(snapshot)}\n\n`)
    streams.add(response)
    return request.on('close', () => streams.delete(response))
  }
  const octets = await octetsOf(request)
  const body = octets.length === 0 ? null : /json/.test(request.headers['content-type'] ?? '') ? JSON.parse(String(octets)) : String(octets)
  const path = url.pathname.replace('/api/v1', '')
  const ask = { method: request.method, path, url, body, octets, headers: request.headers, user, users }
  const result = await adminAnswer(ask) ?? answer(request.method, url, body, user)
  const headers = { 'Content-Type': result.status < 300 ? 'application/json' : 'application/problem+json', ...result.headers }
  if (result.user) {
    const fresh = randomUUID()
    sessions.set(fresh, result.user)
    headers['Set-Cookie'] = `sayso=${fresh}; HttpOnly; SameSite=Strict; Path=/`
  } else if (result.user === null) sessions.delete(token)
  const raw = typeof result.body === 'string' || Buffer.isBuffer(result.body)
  response.writeHead(result.status, headers).end(raw ? result.body : result.body === undefined ? undefined : JSON.stringify(result.body))
}

async function octetsOf(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts)
}

async function text(request) {
  let all = ''
  for await (const part of request) all += part
  return all
}

// ---- SIP: passes messages from page to page, by the user part; keeps nothing of a dialog but its call.
const places = new Map() // user part of an address or a contact -> socket
const branches = new Map() // of a request -> where its answers go
const dialogs = new Map() // Call-ID -> {agent, call, purpose}
const header = (message, name) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'im').exec(message)?.[1]?.trim()
const userOf = (uri) => /sips?:([^@;>]+)@/.exec(uri ?? '')?.[1]
function tellRemote(what) { places.get('server')?.send(`MOCK ${JSON.stringify(what)}`) }

function sip(socket, data) {
  const message = String(data)
  const branch = /branch=([^;\s]+)/.exec(header(message, 'Via') ?? '')?.[1]
  const contact = userOf(header(message, 'Contact'))
  if (contact) places.set(contact, socket)
  const dialog = dialogs.get(header(message, 'Call-ID'))
  if (message.startsWith('SIP/2.0')) {
    if (dialog && message.startsWith('SIP/2.0 2') && /INVITE/.test(header(message, 'CSeq')) && !dialog.up) {
      dialog.up = true
      answered(dialog.agent, dialog.call, dialog.purpose)
    }
    if (dialog && /^SIP\/2.0 [3-6]/.test(message) && !dialog.up) ended(dialog.agent, dialog.call)
    branches.get(branch)?.send(message)
    return
  }
  const [method, uri] = message.split(' ')
  if (method === 'REGISTER') {
    const user = userOf(header(message, 'To'))
    places.set(user, socket)
    const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${header(message, name)}${name === 'To' ? ';tag=mock' : ''}`)
    const expires = header(message, 'Expires') ?? '60'
    socket.send(`${['SIP/2.0 200 OK', ...copied, `Contact: ${header(message, 'Contact')};expires=${expires}`, 'Content-Length: 0'].join('\r\n')}\r\n\r\n`)
    const agent = agents.get(user)
    if (agent?.state === 'logged-off') setAgent(user, { state: 'not-ready', since: at() })
    return
  }
  branches.set(branch, socket)
  const id = header(message, 'X-Sayso-Call')
  if (method === 'INVITE' && id && !dialog) {
    const [agent, purpose] = [userOf(uri), header(message, 'X-Sayso-Purpose')]
    dialogs.set(header(message, 'Call-ID'), { agent, call: id, purpose, up: false })
    rings(agent, id, purpose)
  }
  if (dialog && ['BYE', 'CANCEL'].includes(method)) ended(dialog.agent, dialog.call)
  places.get(userOf(uri))?.send(message)
}

/** @returns {import('vite').Plugin} */
export function mockServer() {
  return {
    name: 'sayso-mock',
    configureServer(server) {
      server.middlewares.use((request, response, next) => { serve(request, response, next).catch(next) })
      const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'sip' })
      server.httpServer?.on('upgrade', (request, socket, head) => {
        if (request.url !== '/sip') return
        sockets.handleUpgrade(request, socket, head, (ws) => { ws.on('message', (data) => { sip(ws, data) }) })
      })
    },
  }
}
