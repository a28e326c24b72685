// The test of any trunk.
import { json } from '../lib.js'

export function answer({ method, path, user }) {
  if (!user || method !== 'POST' || !/^\/trunks\/[^/]+\/test$/.test(path)) return null
  return json({ ok: true, status: 200, milliseconds: 23, what: '200 OK from sbc.carrier.example' })
}
