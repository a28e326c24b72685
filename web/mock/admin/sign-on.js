// Second factor, sessions, tokens, the state of users.
import { randomUUID } from 'node:crypto'

import { at, json, noContent, problem } from '../lib.js'

let sessions = [{ id: 's-1', createdAt: at(-3600), usedAt: at(-2), current: true, by: 'password' }, { id: 's-2', createdAt: at(-86_400), usedAt: at(-4000), current: false, by: 'company' }]
const tokens = [
  { id: 't-1', name: 'reporting export', by: 'admin', rights: ['view-reports', 'view-calls'], createdAt: at(-86_400 * 20), expiresAt: at(86_400 * 70), usedAt: at(-600), revokedAt: null },
  { id: 't-2', name: 'old script', by: 'admin', rights: ['view-reports'], createdAt: at(-86_400 * 100), expiresAt: at(-86_400), usedAt: null, revokedAt: null },
]
const states = { nina: { lockedUntil: at(1500), failures: 5, sessions: 0, secondFactor: false, lastLogIn: null } }

export function answer({ method, path, body, user, users }) {
  if (path === '/sign-on' && method === 'GET') return json({ providers: [{ name: 'company', displayName: 'Company account' }], passwordLongerThan: 8 })
  if (!user) return null
  const [, first, second, third] = path.split('/').map(decodeURIComponent)
  if (path === '/session/second-factor') {
    if (method === 'POST' && !body.password) return problem(422, 'wrong-password')
    if (method === 'POST') return json({ secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', uri: `otpauth://totp/Sayso:${user}?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Sayso` })
    if (method === 'PUT') {
      if (body.code !== '123456') return problem(422, 'wrong-code')
      users[user] = { ...users[user], secondFactor: true, mustAddSecondFactor: false }
      return json({ codes: Array.from({ length: 10 }, () => randomUUID().slice(0, 11).replace('-', '').toLowerCase().replace(/^(.{5})/, '$1-')) })
    }
    users[user] = { ...users[user], secondFactor: false }
    return noContent
  }
  if (path === '/session/list') return json(sessions)
  if (path.startsWith('/session/list/')) {
    sessions = sessions.filter(({ id }) => id !== third)
    return noContent
  }
  if (first === 'users' && third === 'state') return json(states[second] ?? { lockedUntil: null, failures: 0, sessions: 1, secondFactor: second === 'admin', lastLogIn: at(-5400) })
  if (first === 'users' && third) {
    states[second] = { lockedUntil: null, failures: 0, sessions: 0, secondFactor: false, lastLogIn: null }
    return noContent
  }
  if (path === '/tokens' && method === 'GET') return json({ items: tokens, next: null })
  if (path === '/tokens') {
    if (body.password === '') return problem(422, 'wrong-password')
    const token = { id: randomUUID(), name: body.name, by: user, rights: body.rights, createdAt: at(), expiresAt: at(body.days * 86_400), usedAt: null, revokedAt: null }
    tokens.unshift(token)
    return json({ token, secret: `sayso_${randomUUID().replaceAll('-', '')}` }, 201)
  }
  if (first === 'tokens') {
    tokens.find(({ id }) => id === second).revokedAt = at()
    return noContent
  }
  return null
}
