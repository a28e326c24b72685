// What the event stream has told: the server's truth, folded event by event. Pure.
import type { AgentView, CallView, QueueView, Snapshot } from '../api/types'

export interface Live {
  /** `lost`: the stream is interrupted, what is shown may be old. */
  link: 'connecting' | 'live' | 'lost'
  /** The server's clock minus ours, ms. */
  offset: number
  calls: ReadonlyMap<string, CallView>
  agents: ReadonlyMap<string, AgentView>
  queues: ReadonlyMap<string, QueueView>
}

export type LiveEvent =
  | { type: 'snapshot'; snapshot: Snapshot; received: number }
  | { type: 'call'; call: CallView }
  | { type: 'gone'; id: string }
  | { type: 'agent'; agent: AgentView }
  | { type: 'queue'; queue: QueueView }
  | { type: 'lost' }

export const NOTHING: Live = {
  link: 'connecting', offset: 0, calls: new Map(), agents: new Map(), queues: new Map(),
}

export function reduce(live: Live, event: LiveEvent): Live {
  switch (event.type) {
    case 'snapshot': {
      const { now, calls, agents, queues } = event.snapshot
      return {
        link: 'live',
        offset: Date.parse(now) - event.received,
        calls: byId(calls),
        agents: byId(agents),
        queues: byId(queues),
      }
    }
    case 'call':
      return { ...live, calls: put(live.calls, event.call) }
    case 'gone': {
      const calls = new Map(live.calls)
      calls.delete(event.id)
      return { ...live, calls }
    }
    case 'agent':
      return { ...live, agents: put(live.agents, event.agent) }
    case 'queue':
      return { ...live, queues: put(live.queues, event.queue) }
    case 'lost':
      return { ...live, link: live.link === 'connecting' ? 'connecting' : 'lost' }
  }
}

function byId<T extends { id: string }>(items: T[]): Map<string, T> {
  return new Map(items.map((item) => [item.id, item]))
}

function put<T extends { id: string }>(map: ReadonlyMap<string, T>, item: T): Map<string, T> {
  return new Map(map).set(item.id, item)
}
