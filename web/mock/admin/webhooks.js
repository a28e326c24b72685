// Deliveries of webhooks.
import { randomUUID } from 'node:crypto'

import { at, json, listing, noContent } from '../lib.js'

const delivery = (n, state, more = {}) => ({ id: `d-${n}`, event: ['call.ended', 'recording.stored', 'consent.given'][n % 3], at: at(-600 * n), attempts: 1, state, status: state === 'delivered' ? 200 : 503,
  what: state === 'delivered' ? null : 'Service unavailable', next: state === 'waiting' ? at(240) : null, ...more })
const deliveries = [delivery(1, 'waiting', { attempts: 3 }), ...Array.from({ length: 70 }, (_, n) => delivery(n + 2, n === 4 ? 'failed' : 'delivered', n === 4 ? { attempts: 14 } : {}))]

export function answer({ path, url, user }) {
  const [, first, , what, , retry] = path.split('/')
  if (!user || first !== 'webhooks' || !what) return null
  if (what === 'test') {
    const one = { id: randomUUID(), event: 'test', at: at(), attempts: 1, state: 'delivered', status: 204, what: null, next: null }
    deliveries.unshift(one)
    return json(one)
  }
  return retry ? noContent : listing(deliveries, url)
}
